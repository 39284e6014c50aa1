"""The converter's image without a GPU: everything until TensorRT is needed."""

from pathlib import Path

import pytest

from contract.checksums import damage
from segstack_testing.waiting import scaled

pytestmark = [pytest.mark.containers, pytest.mark.timeout(scaled(1800))]

CONVERTER = ["scripts/run.sh", "convert"]
# All of a conversion but TensorRT, in whose place TensorFlow 2.6.2 runs the rewritten graph.
REHEARSAL = Path("services/converter/tests/convert_with_tensorflow.py")


def test_help_lists_the_options(stack) -> None:
    assert "--precision" in stack.run(*CONVERTER, "--help")


def test_without_a_gpu_it_refuses_in_one_sentence(stack) -> None:
    output = stack.run(*CONVERTER, "--input", "models_repo/drawn", status=1)
    assert "segstack convert: TensorFlow 2.6.2 needs TensorRT 7.2.2, and libnvinfer.so.7 does not load" in output
    assert not (stack.checkout / "models_repo/drawn-trt-fp16").exists()


def test_a_model_that_the_trainer_published_is_rewritten_compared_and_published_by_python_38(stack) -> None:
    script = f"{stack.checkout / REHEARSAL}:/rehearsal.py:ro"
    words = ["run", "--rm", "--volume", script, "--entrypoint", "python3.8", "converter"]
    options = ["--input", "models_repo/drawn", "--images", "data/drawn/images", "--report", "runs/converted"]
    output = stack.compose(*words, "/rehearsal.py", *options)
    assert "**Published** as drawn-trt-fp16." in output
    assert "| TensorFlow | 2.6.2 |" in output
    published = stack.checkout / "models_repo/drawn-trt-fp16/1"
    assert damage(published) is None
    assert published.stat().st_uid == stack.checkout.stat().st_uid
