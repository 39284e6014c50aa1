"""A whole conversion, with TensorFlow running the rewritten graph in place of TensorRT."""

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from contract import ModelCard, __version__
from contract.checksums import damage
from contract.folders import CARD_PATH, ENGINE_PATH
from contract.serving_config.models_config import model_names
from contract.warmup import WARMUP_PATH
from converter import pipeline
from converter.arguments import parse
from converter.errors import ConverterError
from converter.saved_model import opened
from converter.targets.tf_trt.runtime import Runtime
from converter.targets.tf_trt.target import TfTrt

MACHINE = Runtime("2.6.2", "7.2.2", "Tesla T4", "7.5", "470.57.02")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def result(models_root: Path, photographs: Path, build_with_tensorflow, folder: Path) -> pipeline.Result:
    """``tiny`` converted for batch sizes 1 and 3, with scores."""
    options = parse(
        [
            *(str(models_root / "tiny"), "--models-root", str(folder / "models_repo")),
            *("--images", str(photographs), "--report", str(folder / "report")),
            *("--batch-sizes", "1", "3", "--signatures", "scores", "--precision", "fp32"),
        ]
    )
    return pipeline.run(options, TfTrt(MACHINE, build_with_tensorflow()))


def test_agreeing_model_is_published_in_models_gpu_config(result, folder: Path) -> None:
    assert result.folder == folder / "models_repo/tiny-trt-fp32/1"
    assert damage(result.folder) is None
    assert model_names(folder / "models_repo/models.gpu.config") == ["tiny-trt-fp32"]
    assert model_names(folder / "models_repo/models.config") == []


def test_card_has_engine_facts_and_agreement(result, photographs: Path) -> None:
    card = ModelCard.from_json((result.folder / CARD_PATH).read_text())
    assert (card.name, card.derived_from, card.precision) == ("tiny-trt-fp32", "tiny:1", "fp32")
    made = dict(card.engine)
    compared = made.pop("compared")
    assert made.pop("source_bytes") > 0
    assert made.pop("converted_bytes") > 0
    assert made == {
        "engines": {name: [{"name": "TRTEngineOp_0_0", "nodes": 7}] for name in ("serving_default", "scores")},
        "left_outside": {name: {"Cast": 2} for name in ("serving_default", "scores")},
        "rewritten": [
            "serving_default: 1 half-pixel ResizeBilinear → taps",
            "scores: 2 half-pixel ResizeBilinear → taps",
        ],
        "batch_sizes": [1, 3],
        "workspace_mb": 1024,
        "minimum_segment_size": 3,
        "gpu": "Tesla T4",
        "compute_capability": "7.5",
        "driver": "470.57.02",
    }
    assert (compared["images"], compared["count"], compared["min_agreement"]) == (photographs.name, 6, 0.999)
    assert compared["agreement"] >= 0.999
    assert compared["miou"] >= 0.99
    assert set(compared["per_class_iou"]) == {"class 0", "class 1", "class 2"}
    assert [latency["batch_size"] for latency in compared["latency_ms"]] == [1, 3]


def test_warm_up_file_is_copied_from_the_source(result, models_root: Path) -> None:
    assert (result.folder / WARMUP_PATH).read_bytes() == (models_root / "tiny/1" / WARMUP_PATH).read_bytes()


def test_report_is_in_the_version_and_in_the_report_folder(result, folder: Path) -> None:
    for where in (result.folder / "assets.extra/conversion", folder / "report"):
        assert (where / "report.md").read_text() == result.report
        assert tf.io.decode_png((where / "worst.png").read_bytes()).shape == (32, 4 * 48, 3)
    assert "**Published** as tiny-trt-fp32" in result.report
    assert "synthetic" not in result.report


def test_published_signatures_run_the_rewritten_graph(result, models_root: Path) -> None:
    source, converted = (tf.saved_model.load(str(path)) for path in (models_root / "tiny/1", result.folder))
    resizes = {name for name in converted.signatures if "ResizeBilinear" in operations(converted.signatures[name])}
    assert resizes == {"probabilities", "encoded"}  # probabilities is native, encoded resizes the decoded image
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3), np.uint8)
    for name in ("serving_default", "scores", "probabilities"):
        expected = source.signatures[name](image=tf.constant(image))
        for alias, values in converted.signatures[name](image=tf.constant(image)).items():
            difference = np.abs(values.numpy().astype(float) - expected[alias].numpy())
            assert (difference > 1e-3).mean() < 0.001, name


def operations(signature) -> set:
    graph = convert_variables_to_constants_v2(signature).graph.as_graph_def()
    inner = [node for function in graph.library.function for node in function.node_def]
    return {node.op for node in [*graph.node, *inner]}


@pytest.fixture
def convert(models_root: Path, photographs: Path, tmp_path: Path):
    """``convert(build, *options)``: convert with given engines into ``tmp_path / "models_repo"``."""

    def run(build, *words, source=models_root / "tiny", images=photographs):
        options = parse(
            [
                *(str(source), "--report", str(tmp_path / "report"), *words),
                *(["--images", str(images)] if images else []),
                *([] if "--output" in words else ["--models-root", str(tmp_path / "models_repo")]),
            ]
        )
        return pipeline.run(options, TfTrt(MACHINE, build))

    return run


def in_a_corner(alias, mask):
    """Class 2 in a corner of 8 x 12 pixels, a sixteenth of the mask."""
    corner = np.zeros((32, 48), bool)
    corner[:8, :12] = True
    return tf.where(corner, tf.cast(2, mask.dtype), mask)


def test_disagreeing_masks_are_not_published_and_the_report_shows_where(
    convert, build_with_tensorflow, tmp_path: Path
) -> None:
    with pytest.raises(
        ConverterError, match=r"tiny-trt-fp16 was not published: .* expected at least 99\.500 %; .*report"
    ):
        convert(build_with_tensorflow(in_a_corner))
    assert not (tmp_path / "models_repo").exists()
    report = (tmp_path / "report/report.md").read_text()
    assert "**Not published**: 9" in report
    swaps = report.partition("| class in the source |")[2].splitlines()[2:4]
    assert [line.split(" | ")[1] for line in swaps] == ["class 2"] * 2  # all differing pixels became class 2
    panels = tf.io.decode_png((tmp_path / "report/worst.png").read_bytes()).numpy()
    red = (panels[:, 3 * 48 :] == [255, 0, 0]).all(-1)
    assert red[:8, :12].mean() > 0.3
    assert not red[8:].any()
    assert not red[:, 12:].any()


def test_min_agreement_can_be_lowered(convert, build_with_tensorflow) -> None:
    result = convert(build_with_tensorflow(in_a_corner), "--min-agreement", "0.9")
    assert result.version == 1
    assert "required: 90.000 %" in result.report


def test_every_batch_size_is_compared(convert, build_with_tensorflow, tmp_path: Path) -> None:
    def wrong_in_batches(alias, mask):
        return tf.where(tf.shape(mask)[0] > 1, tf.zeros_like(mask), mask)

    with pytest.raises(ConverterError, match="was not published"):
        convert(build_with_tensorflow(wrong_in_batches), "--batch-sizes", "1", "4")
    assert "(batch of 4)" in (tmp_path / "report/report.md").read_text()


@pytest.mark.parametrize("signature", ["scores", "probabilities"])
def test_every_converted_signature_is_compared(convert, build_with_tensorflow, tmp_path: Path, signature: str) -> None:
    built = []

    def wrong_except_serving_default(options, interface, rewritten, scratch, calibration):
        built.append(rewritten.name)
        wrong = build_with_tensorflow(lambda alias, value: tf.zeros_like(value))
        right = build_with_tensorflow()
        build = right if rewritten.name == "serving_default" else wrong
        return build(options, interface, rewritten, scratch, calibration)

    with pytest.raises(ConverterError, match="was not published"):
        convert(wrong_except_serving_default, "--signatures", signature)
    assert built == ["serving_default", signature]
    text = (tmp_path / "report/report.md").read_text()
    assert f"The masks of `{signature}`, which has its own engines: " in text
    assert not (tmp_path / "models_repo").exists()


def test_unwritable_report_folder_fails_before_converting(convert, tmp_path: Path) -> None:
    (tmp_path / "report").touch()
    with pytest.raises(OSError, match="report"):
        convert(lambda *arguments: pytest.fail("converted"))


def test_published_model_is_compared_again(convert, build_with_tensorflow, tmp_path: Path) -> None:
    traced = []

    def changed_the_second_time(alias, mask):
        traced.append(mask)  # for serving_default and encoded, each time the model is saved
        return in_a_corner(alias, mask) if len(traced) > 2 else mask

    with pytest.raises(ConverterError, match="was not published: saved for publishing, its masks agree on only 9"):
        convert(build_with_tensorflow(changed_the_second_time))
    assert not list(tmp_path.rglob("saved_model.pb"))


def test_output_writes_a_folder_instead_of_publishing(convert, build_with_tensorflow, tmp_path: Path) -> None:
    result = convert(build_with_tensorflow(), "--output", str(tmp_path / "exported/fast"), images=None)
    assert (result.version, result.folder) == (None, tmp_path / "exported/fast")
    assert damage(result.folder) is None
    assert [path.name for path in (tmp_path / "exported").iterdir()] == ["fast"]
    assert "**Compared on 8 synthetic images, not on photographs**" in result.report


def test_third_party_model_keeps_its_signatures(
    convert, build_with_tensorflow, save_third_party, tmp_path: Path
) -> None:
    third_party = save_third_party(tmp_path / "theirs/3")
    result = convert(build_with_tensorflow(), "--image-size", "32", "48", source=third_party)
    assert result.folder == tmp_path / "models_repo/theirs-trt-fp16/1"
    assert model_names(tmp_path / "models_repo/models.gpu.config") == ["theirs-trt-fp16"]
    assert "`input_1` takes float32" in result.report
    known = json.loads((result.folder / ENGINE_PATH).read_text())
    assert known["compared"]["agreement"] >= 0.995
    signatures = tf.saved_model.load(str(result.folder)).signatures
    assert set(signatures) == {"serving_default", "features", "greet"}
    (image,) = signatures["serving_default"].structured_input_signature[1].values()
    assert (image.name, image.dtype, image.shape.as_list()) == ("input_1", tf.float32, [None, 32, 48, 3])
    feeds = {
        "features": {"input_1": np.ones((1, 32, 48, 3), np.float32)},
        "greet": {"language": np.array(["en", "la"])},
    }
    with opened(third_party) as source, opened(result.folder) as converted:  # their variables and tables were copied
        for name, given in feeds.items():
            (expected,), (actual,) = (model.run(name, given).values() for model in (source, converted))
            assert (expected == actual).all(), name


def test_converted_card_describes_source_and_machine(models_root: Path, card: ModelCard) -> None:
    options = parse([str(models_root / "tiny"), "--precision", "fp16", "--batch-sizes", "1", "4"])
    frameworks = {"tensorflow": "2.6.2", "tensorrt": "7.2.2"}
    converted = pipeline.converted_card(card, options, frameworks, {"gpu": "Tesla T4"})

    assert (converted.name, converted.derived_from, converted.precision) == ("tiny-trt-fp16", "tiny:1", "fp16")
    assert converted.frameworks == {"segstack": __version__, **frameworks}
    assert converted.engine == {"gpu": "Tesla T4"}
    assert datetime.now(timezone.utc) - datetime.fromisoformat(converted.created_at) < timedelta(minutes=1)
    assert converted.metrics is None, "they were measured on the source"
    assert (converted.classes, converted.parameters, converted.weights_sha256) == (
        card.classes,
        card.parameters,
        card.weights_sha256,
    )
    assert ModelCard.from_json(converted.to_json()) == converted


@pytest.mark.converter
def test_killed_conversion_leaves_the_repository_unchanged(models_root: Path, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(models_root, tmp_path / "models_repo"))
    before = files(repository)
    killed = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("killed_conversion.py")),
            str(repository),
            str(tmp_path / "killed"),
        ],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # leftovers of the killed processes are removed with the test
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == 0, killed.stderr
    stages = killed.stdout.split()
    assert stages == ["rewrite_saved_model", "build", "prove", "save", "check", "sync_tree"]
    for stage in stages:
        assert files(tmp_path / "killed" / stage) == before, stage
    whole = tmp_path / "killed/whole"
    assert damage(whole / "tiny-trt-fp16/1") is None
    assert not list(whole.rglob(".tmp-*"))


def files(repository: Path) -> dict:
    """The repository's files and their bytes, without what its next writer removes."""
    return {
        str(path.relative_to(repository)): path.read_bytes()
        for path in repository.rglob("*")
        if path.is_file() and path.name != ".lock" and ".tmp-" not in str(path.relative_to(repository))
    }
