"""The converter's own Python and TensorFlow, as locked for its image: everything up to where TensorRT is needed."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(900)]

SAVE_AND_CHECK = """
import sys
from pathlib import Path
import tensorflow as tf
from converter import conversion, load_check, options, signatures  # conversion: TF-TRT's names are where 2.6.2 has them
source = options.find_source(Path(sys.argv[1]))
native = tf.saved_model.load(str(source.folder)).signatures["serving_default"]
signatures.save(Path(sys.argv[2]), source.card, source.folder, lambda image: native(image=image), {})
load_check.check(Path(sys.argv[2]), source.card)
print("checked in", tf.__version__)
"""


def test_the_model_is_read_saved_and_checked(run_python38, models_root: Path, tmp_path: Path) -> None:
    result = run_python38("-c", SAVE_AND_CHECK, str(models_root / "tiny"), str(tmp_path / "saved"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "checked in 2.6.2\n"


def test_a_conversion_is_refused_in_one_sentence_where_tensorrt_is_missing(run_python38, models_root: Path) -> None:
    result = run_python38("-m", "converter", "--input", str(models_root / "tiny"))
    assert result.returncode == 1, result.stderr
    assert "converter: TensorFlow 2.6.2 needs TensorRT 7.2.2, and libnvinfer.so.7 does not load" in result.stderr
