"""The dry run's report; its own environment is another test's."""

import subprocess
import sys
from pathlib import Path

import pytest

from converter import __main__
from converter.targets.tf_trt import dry_run, rehearsal
from converter.targets.tf_trt.engines import EngineSummary

CONVERTED = dry_run.DryRun(
    EngineSummary([{"name": "TRTEngineOp_0_0", "nodes": 311}], {"Cast": 2}), ["1 half-pixel ResizeBilinear → taps"],
    "2.14.1", "8.5.3",
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list:
    """The signatures that the dry run is asked to convert."""
    asked: list = []
    monkeypatch.setattr(dry_run, "run", lambda options, signature: asked.append(signature) or CONVERTED)
    return asked


def test_masks_of_the_rewritten_graph_are_compared_here(asked, models_root: Path, photographs: Path, capsys) -> None:
    words = ["--input", str(models_root / "tiny"), "--dry-run", "--images", str(photographs), "--signatures", "scores"]
    assert __main__.main(words) == 0
    text = capsys.readouterr().out
    assert "run by TensorFlow, agrees with its source" in text
    assert "## Engines of scores: 1" in text
    assert "- scores: 1 half-pixel ResizeBilinear → taps" in text
    assert "6 images" in text
    assert asked == ["serving_default", "scores"]


def test_without_tensorflow_engines_are_counted_all_the_same(asked, models_root: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(rehearsal, "find_spec", lambda name: None)
    words = ["--input", str(models_root / "tiny"), "--dry-run", "--report", str(tmp_path)]
    assert __main__.main(words) == 0
    assert "The masks were not compared" in (tmp_path / "report.md").read_text()


def test_what_reports_a_dry_run_needs_no_tensorflow() -> None:
    hidden = "import sys; sys.modules.update(tensorflow=None, numpy=None)"
    hidden += "; import converter.targets.tf_trt.rehearsal, converter.proof.report"
    subprocess.run([sys.executable, "-c", hidden], check=True)
