"""Whose frame is next, and when it is taken."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.flow.timings import Timings
from gateway.stream.turns import Pace, Turn, Turns


async def infer(turns, pace, until=None):
    async with Turn(turns, pace) as turn, turn.inference(Timings()):
        if until:
            await until.wait()


def test_streams_take_turns_whatever_they_ask_for():
    async def run():
        turns, order = Turns(1), []

        async def stream(name):
            for _ in range(3):
                async with Turn(turns, Pace()) as turn, turn.inference(Timings()):
                    order.append(name)
                    await asyncio.sleep(0)

        await asyncio.gather(*(stream(name) for name in "abc"))
        return "".join(order)

    assert asyncio.run(run()) == "abcabcabc"


@pytest.mark.parametrize("at_once", [1, 3])
def test_serving_is_given_no_more_than_it_works_on(at_once):
    async def run():
        turns, most = Turns(at_once), 0

        async def stream():
            nonlocal most
            async with Turn(turns, Pace(0.0, 0.0)) as turn, turn.inference(Timings()):
                most = max(most, len(turns.inferring))
                await asyncio.sleep(0.001)

        await asyncio.gather(*(stream() for _ in range(10)))
        return most, turns.is_free

    assert asyncio.run(run()) == (at_once, True)


@pytest.mark.parametrize(("usual_s", "is_early"), [(0.0, True), (1000.0, False), (None, False)])
def test_a_frame_is_taken_when_the_one_before_is_about_to_end(usual_s, is_early):
    """Early enough to be made ready meanwhile; while that is far off, or unknown, a newer frame may come."""

    async def run():
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
            return early, await task

    assert asyncio.run(run()) == (is_early, 1)


def test_the_pace_is_learned():
    pace = Pace()
    for seconds in (0.1, 0.1, 0.2):
        pace.add_inferred(seconds)
        pace.add_prepared(seconds / 10)
    assert (round(pace.infer_s, 4), round(pace.prepare_s, 5)) == (0.125, 0.0125)


@pytest.mark.parametrize("steps", range(1, 6))
def test_who_gives_up_holds_nobody_up(steps):
    """Cancelled wherever it has come to: waiting to be next up, for the moment, for serving, in serving."""

    async def run():
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
        return turns.is_free, turns.next_up.locked()

    assert asyncio.run(run()) == (True, False)


def test_an_error_while_a_frame_is_made_ready_lets_the_next_pass():
    async def run():
        turns = Turns(1)
        with pytest.raises(ZeroDivisionError):
            async with Turn(turns, Pace()):
                raise ZeroDivisionError
        async with asyncio.timeout(30):
            await infer(turns, Pace())

    asyncio.run(run())
