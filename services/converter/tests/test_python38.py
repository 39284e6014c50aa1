"""The converter's own Python and TensorFlow, as locked for its image: everything up to where TensorRT is needed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SERVICE = Path(__file__).parents[1]

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


@pytest.fixture(scope="module")
def python38(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for python in ("python3.8", *pyenv.glob("versions/3.8.*/bin/python3.8")):
        works = shutil.which(python) and subprocess.run([python, "-c", "import ensurepip"], capture_output=True)
        if works and works.returncode == 0:
            break
    else:
        pytest.skip("no Python 3.8 with venv here: install one, for instance with `pyenv install 3.8`")
    environment = tmp_path_factory.mktemp("python38")
    subprocess.run([python, "-m", "venv", environment], check=True)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", SERVICE / "requirements.lock"]
    subprocess.run([environment / "bin/python", *install], check=True)
    return environment / "bin/python"


@pytest.fixture
def run(python38: Path):
    def run(*arguments: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(SERVICE), str(SERVICE.parent / "contract")])
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run([python38, *arguments], env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_model_is_read_saved_and_checked(run, models_root: Path, tmp_path: Path) -> None:
    result = run("-c", SAVE_AND_CHECK, str(models_root / "tiny"), str(tmp_path / "saved"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "checked in 2.6.2\n"


def test_a_conversion_is_refused_in_one_sentence_where_tensorrt_is_missing(run, models_root: Path) -> None:
    result = run("-m", "converter", "--input", str(models_root / "tiny"))
    assert result.returncode == 1, result.stderr
    assert "converter: TensorFlow 2.6.2 needs TensorRT 7.2.2, and libnvinfer.so.7 does not load" in result.stderr
