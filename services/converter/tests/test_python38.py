"""The Python and TensorFlow locked for the converter's image: everything that does not need TensorRT."""

from pathlib import Path

import pytest

from contract.checksums import damage

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(900)]

# A conversion without TensorRT.
CONVERT = str(Path(__file__).with_name("convert_with_tensorflow.py"))

# The third-party model is saved by 2.6.2 itself: newer versions save variables with operations it does not know.
SAVE = """
import sys
import numpy as np
import tensorflow as tf

module = tf.Module()
module.kernel = tf.Variable(np.random.default_rng(5).normal(size=(3, 3, 3, 3)).astype(np.float32))

@tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
def logits(input_1):
    return {"output": tf.image.resize(features(input_1)["features"], tf.shape(input_1)[1:3])}

@tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
def features(input_1):
    return {"features": tf.nn.conv2d(input_1, module.kernel, strides=2, padding="SAME")}

tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": logits, "features": features})
"""


def test_model_is_rewritten_compared_and_published(
    run_python38, models_root: Path, photographs: Path, tmp_path: Path
) -> None:
    words = ["--signatures", "scores", "probabilities", "--batch-sizes", "1", "2", "--images", str(photographs)]
    folders = ["--models-root", str(tmp_path / "models_repo"), "--report", str(tmp_path / "report")]
    result = run_python38(CONVERT, str(models_root / "tiny"), *words, *folders)
    assert result.returncode == 0, result.stderr
    assert "**Published** as tiny-trt-fp16.\n100.000 % of pixels" in result.stdout
    assert "| TensorFlow | 2.6.2 |" in result.stdout
    assert damage(tmp_path / "models_repo/tiny-trt-fp16/1") is None


def test_third_party_model_is_converted(run_python38, photographs: Path, tmp_path: Path) -> None:
    saved = run_python38("-c", SAVE, str(tmp_path / "third_party"))
    assert saved.returncode == 0, saved.stderr
    words = [str(tmp_path / "third_party"), "--image-size", "32", "48", "--images", str(photographs)]
    folders = ["--output", str(tmp_path / "fast"), "--report", str(tmp_path / "report")]
    result = run_python38(CONVERT, *words, *folders)
    assert result.returncode == 0, result.stderr
    assert "**Written**" in result.stdout
    assert damage(tmp_path / "fast") is None


def test_missing_tensorrt_is_one_sentence(run_python38, models_root: Path) -> None:
    result = run_python38("-m", "converter", str(models_root / "tiny"))
    assert result.returncode == 1, result.stderr
    assert (
        "python -m converter: TensorFlow 2.6.2 needs TensorRT 7.2.2, and libnvinfer.so.7 does not load" in result.stderr
    )
