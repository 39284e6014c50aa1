"""Which stream's frame is next, and when it is taken."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.flow.timings import Timings
from gateway.stream.turns import Pace, Turn, Turns

pytestmark = pytest.mark.anyio


async def infer(turns, pace, until=None):
    async with Turn(turns, pace) as turn, turn.inference(Timings()):
        if until:
            await until.wait()


async def test_streams_take_turns():
    turns, order = Turns(1), []

    async def stream(name):
        for _ in range(3):
            async with Turn(turns, Pace()) as turn, turn.inference(Timings()):
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(*(stream(name) for name in "abc"))
    assert "".join(order) == "abcabcabc"


@pytest.mark.parametrize("at_once", [1, 3])
async def test_no_more_frames_than_allowed_are_inferred_at_once(at_once):
    turns, most = Turns(at_once), 0

    async def stream():
        nonlocal most
        async with Turn(turns, Pace(0.0, 0.0)) as turn, turn.inference(Timings()):
            most = max(most, len(turns.inferring))
            await asyncio.sleep(0.001)

    await asyncio.gather(*(stream() for _ in range(10)))
    assert (most, turns.is_free) == (at_once, True)


@pytest.mark.parametrize(("usual_s", "is_early"), [(0.0, True), (1000.0, False), (None, False)])
async def test_next_frame_is_taken_when_the_inference_before_is_about_to_end(usual_s, is_early):
    """In time to be prepared meanwhile; while the end is far off, or unknown, a newer frame may still come."""
    turns, taken = Turns(1), asyncio.Event()

    async def following():
        async with Turn(turns, Pace()) as turn:
            taken.set()
            async with turn.inference(Timings()):
                return len(turns.inferring)

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Turn(turns, Pace(0.0, usual_s)))
        await stack.enter_async_context(first.inference(Timings()))
        assert first.is_over.is_set()
        task = asyncio.create_task(following())
        for _ in range(20):
            await asyncio.sleep(0)
        early = taken.is_set()
        assert not task.done()
    async with asyncio.timeout(30):
        assert (early, await task) == (is_early, 1)


def test_pace_is_a_running_mean():
    pace = Pace()
    for seconds in (0.1, 0.1, 0.2):
        pace.add_inferred(seconds)
        pace.add_prepared(seconds / 10)
    assert (round(pace.infer_s, 4), round(pace.prepare_s, 5)) == (0.125, 0.0125)


@pytest.mark.parametrize("steps", range(1, 6))
async def test_cancelled_turn_releases_its_slot(steps):
    """Cancelled wherever it is: waiting to be next, for the right moment, for serving, in serving."""
    turns = Turns(1)
    forever = asyncio.Event()
    tasks = [asyncio.create_task(infer(turns, Pace(0.0, 0.0), forever)) for _ in range(3)]
    for _ in range(steps):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(30):
        await infer(turns, Pace())
    assert turns.is_free
    assert not turns.next_up.locked()


async def test_error_while_a_frame_is_prepared_lets_the_next_pass():
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError):
        async with Turn(turns, Pace()):
            raise ZeroDivisionError
    async with asyncio.timeout(30):
        await infer(turns, Pace())
    assert turns.is_free
