"""Metrics for a terminal."""

from contract import Metrics
from trainer.evaluation.summary import describe


def test_card_metrics_as_a_table():
    first, *lines = describe(Metrics(0.9, {"background": 0.9, "leaf": None}, "test", 30)).splitlines()
    assert first == "test mIoU 0.9000 over 30 images"
    assert lines == ["  background           0.9000", "  leaf                 absent"]


def test_unreliable_metrics_have_a_caution():
    assert describe(Metrics(0.45, {"background": 0.9, "bolt": 0.0}, "test", 8)).splitlines()[-2:] == [
        "  8 images are too few to rely on these metrics: label more",
        "  never found: bolt",
    ]
