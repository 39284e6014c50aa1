"""The report, read as a person reads it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from contract import signatures
from converter.arguments import parse
from converter.images import Images
from converter.proof import report
from converter.proof.agreement import compare
from converter.proof.comparison import Proof
from converter.proof.latency import Latency
from converter.proof.masks import interface_of
from converter.proof.outcome import Outcome, facts
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime

TRUTH = np.zeros((32, 48), np.uint8)
TRUTH[:, 24:] = 1
OTHER = TRUTH.copy()
OTHER[:3, :8] = 2


@pytest.fixture
def outcome(models_root: Path, card) -> Outcome:
    """Two images, one of which agrees on 1512 of 1536 pixels."""
    proof = Proof(
        images=Images("data", (Path("a.jpg"), Path("b.jpg"))),
        interface=interface_of("tiny", signatures(card), None),
        names=("a.jpg", "b.jpg"),
        agreement=compare([TRUTH, TRUTH], [TRUTH, OTHER]),
        latencies=(Latency(1, 20.0, 5.0),),
        picture=b"PNG",
        expected=(TRUTH, TRUTH),
        batch_sizes=(1,),
    )
    return Outcome(
        options=parse(["--input", str(models_root / "tiny"), "--min-agreement", "0.99"]),
        machine=Runtime("2.6.2", "7.2.2", "Tesla T4", "7.5", "470.57.02"),
        engines={"serving_default": EngineSummary([{"name": "TRTEngineOp_0_0", "nodes": 311}], {"Cast": 2, "Odd": 1})},
        rewritten=("8 half-pixel ResizeBilinear → taps",),
        proof=proof,
        source_bytes=23 << 20,
        converted_bytes=34 << 20,
    )


def rows(text: str, head: str) -> list:
    """The cells of the table whose first head is ``head``."""
    lines = text.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_it_begins_with_what_was_decided_and_why(outcome) -> None:
    text = report.render(outcome)
    assert text.startswith("# tiny:1 to fp16\n\n**Published** as tiny-trt-fp16.\n99.218 % of pixels keep their class")
    refused = dataclasses.replace(outcome, options=dataclasses.replace(outcome.options, min_agreement=0.999))
    assert "**Not published**: 99.218 % of pixels keep their class; at least 99.900 % have to." in report.render(
        refused
    )


def test_it_shows_where_masks_differ(outcome) -> None:
    text = report.render(outcome)
    assert rows(text, "class") == [
        ["class 0", "0.9844", "50.000 %"],
        ["class 1", "1.0000", "50.000 %"],
        ["class 2", "0.0000", "0.000 %"],
    ]
    assert rows(text, "image") == [["b.jpg", "98.437 %"], ["a.jpg", "100.000 %"]]
    assert rows(text, "the source says") == [["class 0", "class 2", "24"]]
    assert "![b.jpg: image, source's mask, result's mask, differences in red](worst.png)" in text


@pytest.mark.parametrize(("share", "text"), [(0.57, "57.000 %"), (0.9949999, "99.499 %"), (1 - 1e-8, "99.999 %")])
def test_shares_are_rounded_down_as_they_are_read(share, text) -> None:
    assert report.percent(share) == text


def test_masks_that_are_equal_need_no_picture(outcome) -> None:
    equal = dataclasses.replace(outcome.proof, agreement=compare([TRUTH] * 2, [TRUTH] * 2))
    text = report.render(dataclasses.replace(outcome, proof=equal))
    assert "100.000 % of pixels keep their class" in text
    assert "Where they differ" not in text


def test_it_says_what_became_of_the_graph(outcome) -> None:
    text = report.render(outcome)
    assert "## Engines of serving_default: 1" in text
    assert rows(text, "engine") == [["TRTEngineOp_0_0", "311"]]
    assert rows(text, "left to TensorFlow") == [
        ["Cast", "2", "TensorRT computes no uint8: one for the pixels, one for the class ids"],
        ["Odd", "1", ""],
    ]
    assert "- 8 half-pixel ResizeBilinear → taps" in text


def test_tf_trt_s_own_reasons_come_first(outcome) -> None:
    summary = EngineSummary([], {"Cast": 1}, {"Cast": ["first", "sec|ond"]})
    text = report.render(dataclasses.replace(outcome, engines={"serving_default": summary}))
    assert "| Cast | 1 | first; sec\\|ond |" in text


def test_it_says_how_fast_and_how_large_and_on_what(outcome) -> None:
    text = report.render(outcome)
    assert rows(text, "batch") == [["1", "20.0 ms", "5.0 ms", "4.00x"]]
    assert "Size: 23.0 MiB before, 34.0 MiB with its engines." in text
    for fact in ("2.6.2", "7.2.2", "Tesla T4", "7.5", "470.57.02", "1024 MiB"):
        assert f"| {fact} |" in text


def test_a_dry_run_claims_no_engine_and_no_time(outcome) -> None:
    dry = dataclasses.replace(
        outcome,
        options=dataclasses.replace(outcome.options, dry_run=True),
        machine=Runtime("2.14.1", "8.5.3"),
        proof=dataclasses.replace(outcome.proof, latencies=()),
        converted_bytes=None,
    )
    text = report.render(dry)
    assert text.startswith(
        "# tiny:1 to fp16: a dry run\n\nThe rewritten graph, run by TensorFlow, agrees with its source"
    )
    assert "Engines were not built, so their rounding is not in this." in text
    assert "| GPU | none |" in text
    for absent in ("Published", "Speed", "Size", "driver"):
        assert absent not in text
    assert "The masks were not compared" in report.render(dataclasses.replace(dry, proof=None))


def test_it_is_written_with_its_picture(outcome, tmp_path: Path) -> None:
    path = report.write(tmp_path / "new", outcome)
    assert (path.read_text(), (tmp_path / "new/worst.png").read_bytes()) == (report.render(outcome), b"PNG")


def test_the_card_has_the_same_as_numbers(outcome) -> None:
    compared = facts(outcome, 3)["compared"]
    assert compared["agreement"] == round(1 - 24 / 3072, 6)
    assert compared["worst"] == {"image": "b.jpg", "agreement": round(1 - 24 / 1536, 6)}
    assert compared["per_class_iou"] == {"class 0": 0.984375, "class 1": 1, "class 2": 0}
    assert compared["latency_ms"] == [{"batch_size": 1, "source_ms": 20.0, "converted_ms": 5.0}]
