"""Signals that ask a training to end.

Here they are simulated: delivered by the system, one ended the whole test process with a segmentation fault, after
thousands of other tests, and why is not known. The last test has a process of its own.
"""

import _thread
import signal
import subprocess
import sys

import pytest

from trainer.training.interruption import Interruption

REMEMBERED = """
import signal
from trainer.training.interruption import Interruption
with Interruption() as interruption:
    signal.raise_signal(signal.SIGTERM)
    print(interruption.signal.name, flush=True)
    signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_remembered(number):
    with Interruption() as interruption:
        assert not interruption
        _thread.interrupt_main(number)
        assert interruption
        assert interruption.signal == number


def test_the_second_does_what_it_always_did():
    with Interruption():
        _thread.interrupt_main(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            _thread.interrupt_main(signal.SIGINT)


def test_afterwards_nothing_is_remembered():
    with Interruption() as interruption:
        pass
    with pytest.raises(KeyboardInterrupt):
        _thread.interrupt_main(signal.SIGINT)
    assert not interruption


def test_the_systems_own():
    done = subprocess.run([sys.executable, "-c", REMEMBERED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.returncode) == ("SIGTERM\n", -signal.SIGTERM), done.stderr
