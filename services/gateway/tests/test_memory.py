"""Buffers of a picture's size are kept from one request to the next."""

import platform
import subprocess
import sys

import pytest

# As a request does it: several buffers together, filled, and freed together.
REQUESTS = """
import resource, sys
import numpy as np
from gateway.__main__ import keep_buffers

if sys.argv[1] == "keep":
    keep_buffers()
def request():
    buffers = [np.ones(900_000 + 100_000 * n, np.uint8) for n in range(5)]
for _ in range(10):
    request()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    request()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has another heap")
def test_their_pages_are_not_asked_for_anew():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", REQUESTS, how], capture_output=True, check=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < 100 < faults["leave"]
