"""``python -m converter`` as a person has it, with TensorFlow in TensorRT's place; what refuses is in test_runtime."""

from pathlib import Path

import pytest
import tensorflow as tf

from converter import __main__
from converter.targets.tf_trt import conversion, runtime


@pytest.fixture
def run(models_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Convert with these engines: the status, and what was printed where."""

    def run(build):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(runtime, "probe", lambda: runtime.Runtime("2.6.2", "7.2.2", "Tesla T4"))
        monkeypatch.setattr(conversion, "with_tensorrt", build)
        return (__main__.main(["--input", str(models_root / "tiny")]), *capsys.readouterr())

    return run


def test_the_report_is_printed_and_what_was_published_said(run, by_tensorflow, tmp_path: Path) -> None:
    status, out, _ = run(by_tensorflow())
    assert status == 0
    assert out.startswith("# tiny:1 to fp16\n")
    assert out.endswith("\npublished tiny-trt-fp16, version 1, in models_repo\n")
    assert (tmp_path / "runs/tiny-trt-fp16/report.md").read_text() in out
    assert (tmp_path / "models_repo/tiny-trt-fp16/1/saved_model.pb").is_file()


def test_a_refusal_is_one_sentence_that_names_the_report(run, by_tensorflow, tmp_path: Path) -> None:
    status, out, err = run(by_tensorflow(lambda alias, mask: tf.zeros_like(mask)))
    assert (status, out) == (1, "")
    assert "converter: tiny-trt-fp16 is not published: its masks agree with tiny:1 on " in err
    assert "runs/tiny-trt-fp16/report.md shows where they differ\n" in err
    assert (tmp_path / "runs/tiny-trt-fp16/report.md").is_file()
    assert not (tmp_path / "models_repo").exists()


def test_stopped_it_says_so(run) -> None:
    def build(*arguments):
        raise KeyboardInterrupt

    assert run(build)[0] == 130
