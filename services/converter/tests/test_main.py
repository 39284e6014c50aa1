"""``segstack convert`` with TensorFlow in place of TensorRT; what a machine may lack is in test_runtime."""

from pathlib import Path

import pytest
import tensorflow as tf

from converter import __main__
from converter.targets.tf_trt import conversion, runtime


@pytest.fixture
def run(models_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """``run(build)``: convert; returns the exit status, standard output and standard error."""

    def run(build):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(runtime, "probe", lambda: runtime.Runtime("2.6.2", "7.2.2", "Tesla T4"))
        monkeypatch.setattr(conversion, "with_tensorrt", build)
        return (__main__.main([str(models_root / "tiny")], prog="segstack convert"), *capsys.readouterr())

    return run


def test_prints_the_report_and_the_published_version(run, build_with_tensorflow, tmp_path: Path) -> None:
    status, out, _ = run(build_with_tensorflow())
    assert status == 0
    assert out.startswith("# tiny:1 to fp16\n")
    assert out.endswith("\npublished tiny-trt-fp16, version 1, in models_repo\n")
    assert (tmp_path / "runs/tiny-trt-fp16/report.md").read_text() in out
    assert (tmp_path / "models_repo/tiny-trt-fp16/1/saved_model.pb").is_file()


def test_disagreement_is_one_sentence_that_names_the_report(run, build_with_tensorflow, tmp_path: Path) -> None:
    status, out, err = run(build_with_tensorflow(lambda alias, mask: tf.zeros_like(mask)))
    assert (status, out) == (1, "")
    assert "segstack convert: tiny-trt-fp16 was not published: its masks agree with tiny:1 on " in err
    assert "see runs/tiny-trt-fp16/report.md\n" in err
    assert (tmp_path / "runs/tiny-trt-fp16/report.md").is_file()
    assert not (tmp_path / "models_repo").exists()


def test_ctrl_c_exits_with_130(run) -> None:
    def build(*arguments):
        raise KeyboardInterrupt

    status, _, err = run(build)
    assert status == 130
    assert err.endswith("segstack convert: stopped; nothing was published\n")


def test_usage_names_the_command_as_typed(capsys) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["--help"], prog="segstack convert")
    assert capsys.readouterr().out.startswith("usage: segstack convert ")
