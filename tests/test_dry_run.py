"""Dry runs: the real TF-TRT, which needs no GPU for this, divides our networks and third-party ones into engines.

From uint8 pixels to a uint8 mask there is one engine, and only two casts outside it. The environment with TensorFlow
2.14 and TensorRT 8.5 is created in the user's cache, 2.2 GB, if it does not exist.
"""

import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from converter.arguments import parse
from converter.targets.tf_trt import dry_run
from segstack_testing.waiting import scaled

pytestmark = [pytest.mark.converter, pytest.mark.timeout(scaled(1800))]

# The sizes matter to the resizes of a DDRNet, at 480x640 by 7.5 among others; the rest is exported small.
NETWORKS = {
    "ddrnet23_slim-512x1024": ("ddrnet23_slim", 512, 1024),
    "ddrnet23_slim-480x640": ("ddrnet23_slim", 480, 640),
    "ddrnet23": ("ddrnet23", 128, 256),
    "deeplabv3plus_mobilenetv3_small": ("deeplabv3plus_mobilenetv3_small", 128, 192),
    "deeplabv3plus_mobilenetv3_large": ("deeplabv3plus_mobilenetv3_large", 128, 192),
    "deeplabv3plus_efficientnetv2_b0": ("deeplabv3plus_efficientnetv2_b0", 128, 192),
    "deeplabv3plus_efficientnetv2_s": ("deeplabv3plus_efficientnetv2_s", 128, 192),
    "unet": ("unet", 128, 192),
}

EXPORT = """
import json, sys
from contract import ClassInfo, ModelCard
from trainer.frozen import graph
from trainer.models import create_model

folder, networks = sys.argv[1], json.loads(sys.argv[2])
classes = tuple(ClassInfo(number, str(number), (number, 0, 0)) for number in range(19))
for key, (name, height, width) in networks.items():
    module = graph.freeze(create_model(name, height, width, len(classes), auxiliary=True), height, width)
    card = ModelCard("untrained", name, height, width, classes)
    graph.save(module, graph.signatures(module, card), f"{folder}/{key}")
"""


@pytest.fixture(scope="module")
def networks(run_apart, tmp_path_factory):
    """A folder with all networks, untrained."""
    folder = tmp_path_factory.mktemp("networks")
    run_apart(sys.executable, "-c", EXPORT, folder, json.dumps(NETWORKS))
    return folder


@pytest.fixture(scope="module")
def converted(networks):
    """``converted("ddrnet23_slim-480x640")``: that network's dry run."""
    return functools.lru_cache(lambda name: dry_run.run(parse([str(networks / name), "--dry-run"])))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_one_engine(converted, name: str) -> None:
    found = converted(name)
    assert len(found.engines.engines) == 1
    assert found.engines.outside == {"Cast": 2}
    assert found.engines.engines[0]["nodes"] > 50
    assert any("uint8" in reason for reason in found.engines.reasons["Cast"])
    assert not any("not rewritten" in note for note in found.notes)
    assert (found.tensorflow, found.tensorrt) == ("2.14.1", "8.5.3")


def test_resize_by_seven_and_a_half_becomes_matrices(converted) -> None:
    assert "2 half-pixel ResizeBilinear → matrices and taps" in converted("ddrnet23_slim-480x640").notes


def test_int8_dry_run_needs_no_calibration(networks) -> None:
    found = dry_run.run(parse([str(networks / "unet"), "--precision", "int8", "--dry-run"]))
    assert (len(found.engines.engines), found.engines.outside) == (1, {"Cast": 2})


def test_third_party_model_needs_no_casts(tmp_path: Path) -> None:
    """float32 in, float32 logits out, half-pixel upsampling to a size that it computes, and images of any size."""
    rng = np.random.default_rng(2)
    first, last = (rng.normal(size=[3, 3, *channels]).astype(np.float32) for channels in ((3, 16), (16, 5)))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
    def serve(input_1):
        x = tf.nn.relu(tf.nn.conv2d(input_1, first, 4, "SAME"))
        x = x * tf.sigmoid(tf.reduce_mean(x, [1, 2], keepdims=True))
        return {"output": tf.image.resize(tf.nn.conv2d(x, last, 2, "SAME"), tf.shape(input_1)[1:3])}

    tf.saved_model.save(tf.Module(), str(tmp_path / "mine"), {"serving_default": serve})
    found = dry_run.run(parse([str(tmp_path / "mine"), "--image-size", "60", "88", "--dry-run"]))
    assert (len(found.engines.engines), found.engines.outside) == (1, {})
    assert found.notes == ["1 size computed from a shape → constant", "1 half-pixel ResizeBilinear → matrices and taps"]


def test_operation_that_cannot_be_rewritten_is_left_and_reported(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 32, 48, 3], tf.float32, name="input_1")])
    def serve(input_1):
        x = tf.nn.relu(tf.nn.relu6(tf.sigmoid(input_1)) * 2 + 1)
        y = tf.image.resize(x, [64, 96], method="bicubic")
        return {"output": tf.nn.relu(tf.nn.relu6(tf.sigmoid(y)) * 2 + 1)}

    tf.saved_model.save(tf.Module(), str(tmp_path / "mine"), {"serving_default": serve})
    found = dry_run.run(parse([str(tmp_path / "mine"), "--dry-run"])).engines
    assert len(found.engines) == 2
    assert found.outside == {"ResizeBicubic": 1}
    assert found.reasons == {"ResizeBicubic": ["Op type ResizeBicubic is not supported."]}
