"""Admission: bounded waiting, bounded work, bounded bytes and pixels."""

import asyncio

import pytest

from gateway.errors import Overloaded
from gateway.flow.admission import Admission

pytestmark = pytest.mark.anyio


def make_admission(max_in_flight=1, max_waiting=1, max_held_bytes=100, max_pixels=100):
    return Admission(max_in_flight, max_waiting, max_held_bytes, max_pixels)


def test_requests_at_work_and_waiting_share_the_places():
    admission = make_admission()
    with admission.enter(), admission.enter():
        with pytest.raises(Overloaded, match="2 requests"), admission.enter():
            pass
        assert admission.entered == 2
    with admission.enter():
        assert admission.entered == 1


def test_bodies_share_the_bytes_and_return_them_with_their_place():
    admission = make_admission()
    with admission.enter() as first, admission.enter() as second:
        first.hold(60)
        first.hold(30)  # within what it holds already
        second.hold(40)
        with pytest.raises(Overloaded, match="maximum of 100"):
            second.hold(41)
        assert admission.held_bytes == 100
    with admission.enter() as third:
        third.hold(100)
    assert admission.held_bytes == 0


async def test_no_more_than_max_in_flight_work_at_once():
    admission = make_admission(max_in_flight=2)
    most = 0

    async def work():
        nonlocal most
        async with admission.slot(1):
            most = max(most, admission.in_flight)
            await asyncio.sleep(0.001)

    await asyncio.gather(*(work() for _ in range(12)))
    assert (most, admission.in_flight) == (2, 0)


async def test_images_at_work_share_the_pixels_and_a_larger_one_works_alone():
    admission = make_admission(max_in_flight=8)
    at_work: list[int] = []
    seen = []

    async def work(pixels):
        async with admission.slot(pixels):
            at_work.append(pixels)
            seen.append(list(at_work))
            await asyncio.sleep(0.001)
            at_work.remove(pixels)

    await asyncio.gather(*(work(pixels) for pixels in (60, 40, 1, 250, 30, 30)))
    assert len(seen) == 6
    assert [250] in seen
    assert [60, 40] in seen
    assert all(sum(together) <= 100 for together in seen if together != [250])


async def test_slots_are_granted_in_order_even_if_a_later_smaller_image_would_fit():
    admission = make_admission(max_in_flight=8)
    order = []

    async def work(name, pixels):
        async with admission.slot(pixels):
            order.append(name)
            await asyncio.sleep(0.001)

    await asyncio.gather(work("first", 60), work("large", 90), work("small", 10))
    assert order == ["first", "large", "small"]


async def test_timeout_while_waiting_frees_nothing_that_is_held():
    admission = make_admission()
    async with admission.slot(1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), admission.slot(1):
                pass
        assert admission.in_flight == 1
    async with asyncio.timeout(5), admission.slot(1):
        assert admission.in_flight == 1


async def test_cancelled_large_image_lets_those_behind_it_pass():
    admission = make_admission(max_in_flight=8)

    async def work(pixels):
        async with admission.slot(pixels):
            pass

    async with admission.slot(50):
        large = asyncio.create_task(work(90))
        await asyncio.sleep(0)
        small = asyncio.create_task(work(10))
        await asyncio.sleep(0)
        assert not small.done()
        large.cancel()
        await asyncio.wait_for(small, 5)
        assert admission.in_flight == 1


async def test_slot_is_not_granted_to_a_cancelled_waiter():
    admission = make_admission()
    held, wanted = admission.slot(1), admission.slot(1)
    await held.__aenter__()
    waiting = asyncio.create_task(wanted.__aenter__())
    await asyncio.sleep(0)
    waiting.cancel()  # it has not run since
    await held.__aexit__(None, None, None)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert admission.in_flight == 0
    assert admission.is_idle


async def test_slot_granted_in_the_moment_of_a_cancellation_is_not_lost():
    admission = make_admission()
    held, wanted = admission.slot(1), admission.slot(1)
    await held.__aenter__()
    waiting = asyncio.create_task(wanted.__aenter__())
    await asyncio.sleep(0)
    await held.__aexit__(None, None, None)  # grants it
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert admission.is_idle
    assert admission.in_flight == 0


async def test_waiting_requests_and_frames_take_turns():
    admission = make_admission()
    order = []

    async def work(name, line):
        async with admission.slot(1, line):
            order.append(name)

    async with admission.slot(1):
        works = [asyncio.create_task(work(f"request {n}", "requests")) for n in range(4)]
        works += [asyncio.create_task(work(f"frame {n}", "frames")) for n in range(2)]
        await asyncio.sleep(0)
    await asyncio.gather(*works)
    assert order == ["request 0", "frame 0", "request 1", "frame 1", "request 2", "request 3"]


async def test_pixels_that_an_image_gives_back_are_granted_to_others():
    admission = make_admission(max_in_flight=8)
    async with admission.slot(100) as held:
        other = admission.slot(60)
        small = asyncio.create_task(other.__aenter__())
        await asyncio.sleep(0)
        assert not small.done()
        held.keep(40)
        await asyncio.wait_for(small, 5)
    assert admission.in_flight == 1
