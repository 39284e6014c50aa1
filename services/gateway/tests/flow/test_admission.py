"""Places and slots: bounded waiting, bounded work, bounded bytes and pixels."""

import asyncio

import pytest

from gateway.errors import Overloaded
from gateway.flow.admission import Admission


def admission(max_in_flight=1, max_waiting=1, max_held_bytes=100, max_pixels=100):
    return Admission(max_in_flight, max_waiting, max_held_bytes, max_pixels)


def test_places_are_for_work_and_waiting_together():
    doors = admission()
    with doors.enter(), doors.enter():
        with pytest.raises(Overloaded, match="2 requests"), doors.enter():
            pass
        assert doors.entered == 2
    with doors.enter():
        assert doors.entered == 1


def test_bodies_share_a_number_of_bytes_which_come_back_with_the_place():
    doors = admission()
    with doors.enter() as first, doors.enter() as second:
        first.hold(60)
        first.hold(30)  # already announced
        second.hold(40)
        with pytest.raises(Overloaded, match="maximum of 100"):
            second.hold(41)
        assert doors.held_bytes == 100
    with doors.enter() as third:
        third.hold(100)
    assert doors.held_bytes == 0


def test_no_more_than_the_limit_work_and_none_is_lost():
    async def run():
        doors = admission(max_in_flight=2)
        most = 0

        async def work():
            nonlocal most
            async with doors.slot(1):
                most = max(most, doors.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(work() for _ in range(12)))
        return most, doors.in_flight

    assert asyncio.run(run()) == (2, 0)


def test_images_at_work_share_a_number_of_pixels_and_a_larger_one_works_alone():
    async def run():
        doors = admission(max_in_flight=8)
        at_work: list[int] = []
        seen = []

        async def work(pixels):
            async with doors.slot(pixels):
                at_work.append(pixels)
                seen.append(list(at_work))
                await asyncio.sleep(0.001)
                at_work.remove(pixels)

        await asyncio.gather(*(work(pixels) for pixels in (60, 40, 1, 250, 30, 30)))
        return seen

    seen = asyncio.run(run())
    assert len(seen) == 6
    assert [250] in seen
    assert [60, 40] in seen
    assert all(sum(together) <= 100 for together in seen if together != [250])


def test_first_come_first_served_even_when_a_smaller_one_would_fit():
    async def run():
        doors = admission(max_in_flight=8)
        order = []

        async def work(name, pixels):
            async with doors.slot(pixels):
                order.append(name)
                await asyncio.sleep(0.001)

        await asyncio.gather(work("first", 60), work("large", 90), work("small", 10))
        return order

    assert asyncio.run(run()) == ["first", "large", "small"]


def test_giving_up_while_waiting_frees_nothing_that_is_held():
    async def run():
        doors = admission()
        async with doors.slot(1):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), doors.slot(1):
                    pass
            assert doors.in_flight == 1
        async with asyncio.timeout(5), doors.slot(1):
            assert doors.in_flight == 1

    asyncio.run(run())


def test_a_large_image_that_gives_up_lets_those_behind_it_pass():
    async def run():
        doors = admission(max_in_flight=8)

        async def work(pixels):
            async with doors.slot(pixels):
                pass

        async with doors.slot(50):
            large = asyncio.create_task(work(90))
            await asyncio.sleep(0)
            small = asyncio.create_task(work(10))
            await asyncio.sleep(0)
            assert not small.done()
            large.cancel()
            await asyncio.wait_for(small, 5)
            assert doors.in_flight == 1

    asyncio.run(run())


def test_a_slot_that_comes_free_passes_over_those_who_have_given_up():
    async def run():
        doors = admission()
        held, wanted = doors.slot(1), doors.slot(1)
        await held.__aenter__()
        waiting = asyncio.create_task(wanted.__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()  # it has not yet run to see that
        await held.__aexit__(None, None, None)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert doors.in_flight == 0
        assert doors.is_idle

    asyncio.run(run())


def test_a_slot_granted_to_one_who_gives_up_in_that_moment_is_not_lost():
    async def run():
        doors = admission()
        held = doors.slot(1)
        await held.__aenter__()
        wanted = doors.slot(1)
        waiting = asyncio.create_task(wanted.__aenter__())
        await asyncio.sleep(0)
        await held.__aexit__(None, None, None)  # grants it
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert doors.is_idle
        assert doors.in_flight == 0

    asyncio.run(run())


def test_requests_and_frames_that_wait_are_served_in_turn():
    async def run():
        doors = admission()
        order = []

        async def work(name, line):
            async with doors.slot(1, line):
                order.append(name)

        async with doors.slot(1):
            works = [asyncio.create_task(work(f"request {n}", "requests")) for n in range(4)]
            works += [asyncio.create_task(work(f"frame {n}", "frames")) for n in range(2)]
            await asyncio.sleep(0)
        await asyncio.gather(*works)
        return order

    assert asyncio.run(run()) == ["request 0", "frame 0", "request 1", "frame 1", "request 2", "request 3"]


def test_pixels_that_an_image_turned_out_not_to_need_are_others():
    async def run():
        doors = admission(max_in_flight=8)
        async with doors.slot(100) as held:
            other = doors.slot(60)
            small = asyncio.create_task(other.__aenter__())
            await asyncio.sleep(0)
            assert not small.done()
            held.keep(40)
            await asyncio.wait_for(small, 5)
        return doors.in_flight

    assert asyncio.run(run()) == 1
