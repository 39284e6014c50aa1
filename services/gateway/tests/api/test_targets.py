"""Targets and traffic splits in the syntax of the settings."""

import pytest

from gateway.api.targets import Target, TrafficSplit
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("text", "target", "fraction"),
    [
        ("road=0.1", Target("road"), 0.1),
        ("road:3=.5", Target("road", version=3), 0.5),
        ("road@next=1", Target("road", label="next"), 1.0),
        (" road-trt-fp16:12=0.05 ", Target("road-trt-fp16", version=12), 0.05),
    ],
)
def test_traffic_split_is_parsed(text, target, fraction):
    assert TrafficSplit.parse(text) == TrafficSplit(target, fraction)
    assert Settings(shadow=text).shadow == TrafficSplit(target, fraction)


@pytest.mark.parametrize("text", ["road", "road=0", "road=1.1", "road:x=0.1", "road:0=0.1", "=0.1", "road@=0.1"])
def test_invalid_traffic_split_is_refused(text):
    with pytest.raises(ValueError, match="expected a model"):
        TrafficSplit.parse(text)


@pytest.mark.parametrize("text", ["stable", "best-of_2026.10", "größte"])
def test_valid_label_is_accepted(text):
    assert Settings(default_label=text).default_label == text


@pytest.mark.parametrize("text", ["", " ", "4", "road@stable", "road:4", "stable=0.1", "not stable", "stable\n"])
def test_invalid_label_is_refused(text):
    with pytest.raises(ValueError, match="expected a label alone"):
        Settings(default_label=text)


def test_target_is_printed_in_the_syntax_of_settings():
    assert [str(t) for t in (Target("a"), Target("a", 3), Target("a", label="b"))] == ["a", "a:3", "a@b"]
