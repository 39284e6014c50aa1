"""One deadline for all steps of a request."""

import asyncio

import pytest

from gateway.errors import DeadlineExceeded
from gateway.flow.deadline import Deadline


def test_remaining_time_shrinks_and_then_is_an_error():
    assert 0.9 < Deadline(1000).remaining_s() <= 1
    with pytest.raises(DeadlineExceeded, match="0 ms"):
        Deadline(0).remaining_s()


@pytest.mark.anyio
async def test_enforced_block_is_cancelled_at_the_deadline():
    with pytest.raises(DeadlineExceeded, match="10 ms"):
        async with Deadline(10).enforced():
            await asyncio.sleep(5)
