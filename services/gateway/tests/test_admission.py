"""Places and slots: bounded waiting, bounded work."""

import asyncio

import pytest

from gateway.admission import Admission
from gateway.errors import Overloaded


def test_places_are_for_work_and_waiting_together():
    admission = Admission(max_in_flight=1, max_waiting=1)
    with admission.enter(), admission.enter():
        with pytest.raises(Overloaded, match="2 requests"), admission.enter():
            pass
        assert admission.entered == 2
    with admission.enter():
        assert admission.entered == 1


def test_no_more_than_the_limit_work_and_none_is_lost():
    async def run():
        admission = Admission(max_in_flight=2, max_waiting=10)
        most = 0

        async def work():
            nonlocal most
            async with admission.slot():
                most = max(most, admission.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(work() for _ in range(12)))
        return most, admission.in_flight

    assert asyncio.run(run()) == (2, 0)


def test_giving_up_while_waiting_frees_nothing_that_is_held():
    async def run():
        admission = Admission(max_in_flight=1, max_waiting=1)
        async with admission.slot():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), admission.slot():
                    pass
            assert admission.in_flight == 1
        async with asyncio.timeout(1), admission.slot():
            assert admission.in_flight == 1

    asyncio.run(run())
