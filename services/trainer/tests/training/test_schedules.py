"""Schedules: the learning rate at known steps."""

import math

import keras
import pytest

from trainer.recipe import Schedule
from trainer.training.schedules import CosineDecay, PolyDecay, create_schedule


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_poly_at_known_steps():
    known = {0: 0.01, 250: 0.01 * 0.75**0.9, 500: 0.01 * 0.5**0.9, 999: 0.01 * 0.001**0.9, 1000: 0}
    assert rates(PolyDecay(0.01, 1000, 0, power=0.9), known) == pytest.approx(list(known.values()), rel=1e-4)


def test_cosine_at_known_steps():
    known = {0: 0.01, 250: 0.01 * (1 + math.sqrt(0.5)) / 2, 500: 0.005, 1000: 0}
    assert rates(CosineDecay(0.01, 1000), known) == pytest.approx(list(known.values()), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", ["poly", "cosine"])
class TestEverySchedule:
    def test_warm_up_is_linear_and_starts_above_zero(self, name):
        schedule = create_schedule(Schedule(name=name), 1.0, warmup_steps=4, total_steps=10**7)
        assert rates(schedule, range(6)) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1], rel=1e-4)

    def test_rate_ends_at_a_fraction_of_the_peak_and_stays_there(self, name):
        schedule = create_schedule(Schedule(name=name, end_factor=0.1), 2.0, warmup_steps=0, total_steps=10)
        assert rates(schedule, [0, 10, 11, 1000]) == pytest.approx([2, 0.2, 0.2, 0.2], rel=1e-5)

    def test_schedule_is_serializable(self, name):
        schedule = create_schedule(Schedule(name=name, power=0.5), 0.1, warmup_steps=2, total_steps=10)
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
        assert rates(again, range(10)) == rates(schedule, range(10))
