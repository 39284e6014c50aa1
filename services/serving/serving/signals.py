"""SIGTERM and SIGINT as an event, whenever they come and whichever thread they reach."""

import os
import signal
import threading


def stop_event() -> threading.Event:
    """An event that SIGTERM and SIGINT set from now on; to be called once, from the main thread.

    A Python handler would not do: it runs in the main thread when that next runs Python, and a signal that arrives
    just before the main thread goes to sleep on a lock, or in one of C++'s threads, is not seen until something else
    wakes it. What is written to the wake-up descriptor, by the C handler itself, is.
    """
    stop = threading.Event()
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)

    def wait() -> None:
        os.read(read, 1)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stop
