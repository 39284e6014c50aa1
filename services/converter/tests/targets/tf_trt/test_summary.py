"""What the card and the report contain about a TF-TRT conversion."""

from pathlib import Path

import pytest

from converter.arguments import parse
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime
from converter.targets.tf_trt.summary import summarize

T4 = Runtime("2.6.2", "7.2.2", "Tesla T4", "7.5", "470.57.02")
ENGINES = EngineSummary([{"name": "TRTEngineOp_0_0", "nodes": 311}], {"Cast": 2, "Odd": 1})
NOTE = "8 half-pixel ResizeBilinear → taps"


@pytest.fixture
def summary(models_root: Path):
    """``summary(machine, engines)``: of a conversion of ``serving_default``."""
    options = parse([str(models_root / "tiny")])
    return lambda machine=T4, engines=ENGINES: summarize(
        options, machine, {"serving_default": engines}, {"serving_default": [NOTE]}
    )


def test_lists_engines_and_operations_left_to_tensorflow(summary) -> None:
    section = summary().sections[0]
    assert section.title == "Engines of serving_default: 1"
    assert section.tables[0].rows == (("TRTEngineOp_0_0", "311"),)
    assert section.tables[1].rows == (
        ("Cast", "2", "TensorRT computes no uint8: one for the pixels, one for the class ids"),
        ("Odd", "1", ""),
    )


def test_logged_reasons_replace_known_ones(summary) -> None:
    engines = EngineSummary([], {"Cast": 1}, {"Cast": ["first", "second"]})
    assert summary(engines=engines).sections[0].tables[1].rows == (("Cast", "1", "first; second"),)


def test_lists_rewrites_and_versions(summary) -> None:
    _, rewritten, versions = summary().sections
    assert rewritten.items == (NOTE,)
    cells = dict(versions.tables[0].rows)
    assert cells["TensorFlow"] == "2.6.2"
    assert {"7.2.2", "Tesla T4", "7.5", "470.57.02", "1024 MiB"} <= set(cells.values())


def test_dry_run_lists_no_driver(summary) -> None:
    cells = dict(summary(machine=Runtime("2.14.1", "8.5.3")).sections[-1].tables[0].rows)
    assert cells["GPU"] == "none"
    assert not {"driver", "compute capability"} & set(cells)


def test_rewrites_of_several_signatures_are_prefixed(models_root: Path) -> None:
    names = ("serving_default", "scores")
    summary = summarize(
        parse([str(models_root / "tiny")]), T4, dict.fromkeys(names, ENGINES), {name: [NOTE] for name in names}
    )
    assert summary.facts["rewritten"] == [f"serving_default: {NOTE}", f"scores: {NOTE}"]
