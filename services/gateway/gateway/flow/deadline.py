"""A request's one deadline, shared by all of its steps."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import DeadlineExceeded


class Deadline:
    """A point in time on the monotonic clock, ``milliseconds`` from now."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self._at = time.monotonic() + milliseconds / 1000

    def remaining_s(self) -> float:
        """Seconds left.

        Raises:
            DeadlineExceeded: none left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.exceeded()
        return left

    def exceeded(self) -> DeadlineExceeded:
        """The error to raise once it has passed."""
        return DeadlineExceeded(
            f"no answer within {self.milliseconds} ms; try again when there is less load, or raise GATEWAY_DEADLINE_MS",
            deadline_ms=self.milliseconds,
        )

    @asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        """Cancel the block when the deadline passes.

        Raises:
            DeadlineExceeded: it did.
        """
        try:
            async with asyncio.timeout(self.remaining_s()):
                yield
        except TimeoutError:
            raise self.exceeded() from None
