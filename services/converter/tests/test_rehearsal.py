"""The dry run without its environment, which tests/test_dry_run.py creates."""

import subprocess
import sys
from pathlib import Path

import pytest

from converter import __main__, rehearsal
from converter.targets.tf_trt import dry_run
from converter.targets.tf_trt.engines import EngineSummary

CONVERTED = dry_run.DryRun(
    EngineSummary([{"name": "TRTEngineOp_0_0", "nodes": 311}], {"Cast": 2}), ["1 half-pixel ResizeBilinear → taps"],
    "2.14.1", "8.5.3",
)  # fmt: skip


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list:
    """The signatures that the dry run converts."""
    converted: list = []
    monkeypatch.setattr(dry_run, "run", lambda options, signature: converted.append(signature) or CONVERTED)
    return converted


def test_dry_run_compares_masks_of_the_rewritten_graph(converted, models_root: Path, photographs: Path, capsys) -> None:
    words = [str(models_root / "tiny"), "--dry-run", "--images", str(photographs), "--signatures", "scores"]
    assert __main__.main(words) == 0
    text = capsys.readouterr().out
    assert "run by TensorFlow, agrees with its source" in text
    assert "## Engines of scores: 1" in text
    assert "- scores: 1 half-pixel ResizeBilinear → taps" in text
    assert "6 images" in text
    assert converted == ["serving_default", "scores"]


def test_dry_run_without_tensorflow_still_counts_engines(converted, models_root: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(rehearsal, "find_spec", lambda name: None)
    words = [str(models_root / "tiny"), "--dry-run", "--report", str(tmp_path)]
    assert __main__.main(words) == 0
    assert "The masks were not compared" in (tmp_path / "report.md").read_text()


def test_rehearsal_and_report_import_without_tensorflow() -> None:
    hidden = "import sys; sys.modules.update(tensorflow=None, numpy=None)"
    hidden += "; import converter.rehearsal, converter.proof.report"
    subprocess.run([sys.executable, "-c", hidden], check=True)
