"""The report and the facts for the card."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from contract import signatures
from converter.arguments import parse
from converter.images import Images
from converter.interface import interface_of
from converter.proof import report
from converter.proof.agreement import compare
from converter.proof.comparison import Proof
from converter.proof.latency import Latency
from converter.proof.outcome import Outcome, engine_facts
from converter.target import Section, Summary, Table

TRUTH = np.zeros((32, 48), np.uint8)
TRUTH[:, 24:] = 1
OTHER = TRUTH.copy()
OTHER[:3, :8] = 2

SUMMARY = Summary(
    facts={"gpu": "Tesla T4"},
    frameworks={"tensorrt": "7.2.2"},
    sections=(
        Section("Engines: 1", (Table(("engine", "operations"), (("first|half", "311"),)), Table(("none",), ()))),
        Section("Rewritten", items=("8 resizes", "1 cast")),
    ),
)


@pytest.fixture
def outcome(models_root: Path, card) -> Outcome:
    """Two images, one of which agrees on 1512 of 1536 pixels."""
    proof = Proof(
        images=Images("data", (Path("a.jpg"), Path("b.jpg"))),
        interface=interface_of("tiny", signatures(card), None),
        names=("a.jpg", "b.jpg"),
        agreement=compare([TRUTH, TRUTH], [TRUTH, OTHER]),
        latencies=(Latency(1, 20.0, 5.0),),
        worst_image=b"PNG",
        expected=(TRUTH, TRUTH),
        batch_sizes=(1,),
    )
    return Outcome(
        options=parse([str(models_root / "tiny"), "--min-agreement", "0.99"]),
        summary=SUMMARY,
        proof=proof,
        source_bytes=23 << 20,
        converted_bytes=34 << 20,
    )


def rows(text: str, head: str) -> list:
    """The cells of the table whose first column is ``head``."""
    lines = text.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_begins_with_the_decision_and_its_reason(outcome) -> None:
    text = report.render(outcome)
    assert text.startswith("# tiny:1 to fp16\n\n**Published** as tiny-trt-fp16.\n99.218 % of pixels keep their class")
    refused = dataclasses.replace(outcome, options=dataclasses.replace(outcome.options, min_agreement=0.999))
    assert "**Not published**: 99.218 % of pixels keep their class; required: 99.900 %." in report.render(refused)


def test_shows_where_masks_differ(outcome) -> None:
    text = report.render(outcome)
    assert rows(text, "class") == [
        ["class 0", "0.9844", "50.000 %"],
        ["class 1", "1.0000", "50.000 %"],
        ["class 2", "0.0000", "0.000 %"],
    ]
    assert rows(text, "image") == [["b.jpg", "98.437 %"], ["a.jpg", "100.000 %"]]
    assert rows(text, "class in the source") == [["class 0", "class 2", "24"]]
    assert "![b.jpg: image, source's mask, result's mask, differences in red](worst.png)" in text


@pytest.mark.parametrize(("share", "text"), [(0.57, "57.000 %"), (0.9949999, "99.499 %"), (1 - 1e-8, "99.999 %")])
def test_percentages_are_rounded_down(share, text) -> None:
    assert report.percent(share) == text


def test_equal_masks_have_no_differences_section(outcome) -> None:
    equal = dataclasses.replace(outcome.proof, agreement=compare([TRUTH] * 2, [TRUTH] * 2))
    text = report.render(dataclasses.replace(outcome, proof=equal))
    assert "100.000 % of pixels keep their class" in text
    assert "Where they differ" not in text


def test_sections_of_the_target_are_rendered(outcome) -> None:
    text = report.render(outcome)
    assert "## Engines: 1\n\n| engine | operations |\n| --- | --- |\n| first\\|half | 311 |\n" in text
    assert "| none |" not in text
    assert text.endswith("\n\n## Rewritten\n\n- 8 resizes\n- 1 cast\n")


def test_shows_latency_and_size(outcome) -> None:
    text = report.render(outcome)
    assert rows(text, "batch size") == [["1", "20.0 ms", "5.0 ms", "4.00x"]]
    assert "Size: source 23.0 MiB, converted 34.0 MiB." in text


def test_dry_run_has_no_engines_and_no_latency(outcome) -> None:
    dry = dataclasses.replace(
        outcome,
        options=dataclasses.replace(outcome.options, dry_run=True),
        proof=dataclasses.replace(outcome.proof, latencies=()),
        converted_bytes=None,
    )
    text = report.render(dry)
    assert text.startswith(
        "# tiny:1 to fp16: a dry run\n\nThe rewritten graph, run by TensorFlow, agrees with its source"
    )
    assert "No engines were built, so their rounding is not included." in text
    for absent in ("Published", "Speed", "Size"):
        assert absent not in text
    assert "The masks were not compared" in report.render(dataclasses.replace(dry, proof=None))


def test_write_creates_report_and_worst_image(outcome, tmp_path: Path) -> None:
    path = report.write(tmp_path / "new", outcome)
    assert (path.read_text(), (tmp_path / "new/worst.png").read_bytes()) == (report.render(outcome), b"PNG")


def test_engine_facts_have_the_same_numbers(outcome) -> None:
    compared = engine_facts(outcome)["compared"]
    assert compared["agreement"] == round(1 - 24 / 3072, 6)
    assert compared["worst"] == {"image": "b.jpg", "agreement": round(1 - 24 / 1536, 6)}
    assert compared["per_class_iou"] == {"class 0": 0.984375, "class 1": 1, "class 2": 0}
    assert compared["latency_ms"] == [{"batch_size": 1, "source_ms": 20.0, "converted_ms": 5.0}]
