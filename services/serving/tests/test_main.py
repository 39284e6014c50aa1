"""``segstack serve`` as a process: signals, and what ends before anything is loaded."""

import subprocess
import sys

import pytest

from segstack_testing.waiting import scaled

SCRIPT = """
import signal, threading
from serving.__main__ import stop_event

stop = stop_event()
timer = threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.{name}))
timer.start()
print(stop.wait(20))
"""


def test_help_lists_the_flags_and_version_is_printed():
    for argument, printed in (("--help", "--model_config_file_poll_wait_seconds=0"), ("--version", "serving ")):
        command = [sys.executable, "-m", "serving", argument]
        run = subprocess.run(command, capture_output=True, text=True, timeout=scaled(60))
        assert (run.returncode, run.stderr) == (0, "")
        assert printed in run.stdout


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signal_in_another_thread_wakes_the_main_thread(name):
    """With a Python handler the main thread would sleep on: handlers run there alone, once it wakes."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name=name)], capture_output=True, text=True, timeout=scaled(60)
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "True\n", "")
