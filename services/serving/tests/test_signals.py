"""SIGTERM and SIGINT reach the server whichever thread takes them."""

import subprocess
import sys

import pytest

SCRIPT = """
import signal, threading
from serving.signals import stop_event

stop = stop_event()
asleep = threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.{name}))
asleep.start()
print(stop.wait(20))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_that_another_thread_takes_wakes_the_main_thread(name):
    """Where a Python handler was, the main thread slept on: it runs there alone, and not before it wakes."""
    run = subprocess.run([sys.executable, "-c", SCRIPT.format(name=name)], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "True\n", "")
