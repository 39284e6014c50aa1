"""One deadline for all steps."""

import asyncio

import pytest

from gateway.errors import DeadlineExceeded
from gateway.flow.deadline import Deadline


def test_time_left_shrinks_and_then_is_an_error():
    assert 0.9 < Deadline(1000).remaining_s() <= 1
    with pytest.raises(DeadlineExceeded, match="0 ms"):
        Deadline(0).remaining_s()


def test_a_block_is_cut_short():
    async def run():
        async with Deadline(10).enforced():
            await asyncio.sleep(5)

    with pytest.raises(DeadlineExceeded, match="10 ms"):
        asyncio.run(run())
