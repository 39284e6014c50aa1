"""Early stopping: which validations count, and that a resumed training goes on counting."""

import json
import math

import pytest

from trainer.recipe import StopEarly
from trainer.training.early_stopping import EarlyStopping
from trainer.training.logbook import EpochFigures


def figures(miou=None, loss=None):
    return EpochFigures(1, 1.0, loss, miou, None, 1.0, 1.0)


def ended(stopping, values, name):
    return [stopping.update(figures(**{name: value})) for value in values]


def test_it_ends_after_so_many_validations_without_a_better_miou():
    stopping = EarlyStopping(StopEarly(patience=2))
    assert ended(stopping, [0.1, 0.3, 0.2, 0.31, 0.31, 0.2], "miou") == [False] * 5 + [True]


def test_a_loss_is_better_when_it_is_less():
    stopping = EarlyStopping(StopEarly(patience=2, monitor="loss"))
    assert ended(stopping, [0.9, 0.8, 0.85, 0.8], "loss") == [False, False, False, True]


def test_an_epoch_without_validation_does_not_count():
    stopping = EarlyStopping(StopEarly(patience=1))
    assert ended(stopping, [0.5, None, None, 0.4], "miou") == [False, False, False, True]


def test_a_figure_that_is_no_number_is_never_the_best():
    stopping = EarlyStopping(StopEarly(patience=2))
    assert ended(stopping, [math.nan, 0.1, math.nan, math.nan], "miou") == [False, False, False, True]


def test_a_resumed_training_goes_on_counting():
    first = EarlyStopping(StopEarly(patience=2))
    ended(first, [0.5, 0.4], "miou")
    again = EarlyStopping(StopEarly(patience=2))
    again.restore(json.loads(json.dumps(first.state())))
    assert again.update(figures(miou=0.45))


def test_resumed_by_another_figure_it_counts_anew():
    by_miou = EarlyStopping(StopEarly(patience=1))
    ended(by_miou, [0.5], "miou")
    by_loss = EarlyStopping(StopEarly(patience=1, monitor="loss"))
    by_loss.restore(by_miou.state())
    assert ended(by_loss, [0.9, 0.8, 0.85], "loss") == [False, False, True]


@pytest.mark.parametrize("value", [0.5, None])
def test_without_options_nothing_ends_a_training(value):
    assert not any(ended(EarlyStopping(None), [value] * 1000, "miou"))
