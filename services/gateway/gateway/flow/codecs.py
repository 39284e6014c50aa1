"""The threads that decode and encode, so that the event loop never does."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from gateway.imaging.images import configure_opencv

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class CodecPool:
    """A bounded thread pool for pure functions that release the GIL (OpenCV, NumPy and ISA-L do)."""

    def __init__(self, threads: int) -> None:
        configure_opencv()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="codec")

    def run(
        self, function: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Awaitable[_Result]:
        """Call ``function`` in a thread, within the caller's trace and log context; await its result."""
        call = partial(copy_context().run, function, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """Wait for running work, cancel what is queued, and end the threads."""
        self._threads.shutdown(cancel_futures=True)
