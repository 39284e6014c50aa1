"""Every refusal, through the real command line: one sentence, exit status 1, nothing published, nothing aborted."""

import _ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from converter.targets.tf_trt.runtime import driver_version

SERVICES = Path(__file__).parents[4]


@pytest.fixture
def refusal(models_root: Path, tmp_path: Path):
    """Runs ``python -m converter`` on the published model and returns the sentence that it refuses with."""

    def run(python: str = sys.executable, stand_in: str = "", libraries: str = "") -> str:
        path = os.pathsep.join([stand_in, str(SERVICES / "contract"), str(SERVICES / "converter")]).strip(os.pathsep)
        result = subprocess.run(
            [python, "-m", "converter", "--input", str(models_root / "tiny"), "--models-root", str(tmp_path / "out")],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "LD_LIBRARY_PATH": libraries},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stdout) == (1, ""), result.stderr
        assert not (tmp_path / "out").exists()
        sentences = [line for line in result.stderr.splitlines() if line.startswith("converter: ")]
        assert len(sentences) == 1, result.stderr
        return sentences[0]

    return run


@pytest.fixture
def tensorflow_with_trt(tmp_path: Path):
    """A stand-in for the builds that no machine without a GPU can show: it aborts where TensorFlow would."""

    def make(enabled: bool, loaded: str = "(7, 2, 2)") -> str:
        package = tmp_path / "stand_in" / "tensorflow"
        wrapper = package / "compiler" / "tf2tensorrt"
        wrapper.mkdir(parents=True)
        (package / "compiler" / "__init__.py").touch()
        (wrapper / "__init__.py").touch()
        (package / "__init__.py").write_text(
            "__version__ = '2.6.2'\n"
            "class sysconfig:\n    get_build_info = staticmethod(lambda: {'is_tensorrt_build': True})\n"
            "class config:\n    list_physical_devices = staticmethod(lambda kind: [])\n"
        )
        (wrapper / "_pywrap_py_utils.py").write_text(
            "import ctypes, os\n"
            "def get_linked_tensorrt_version(): return (7, 2, 2)\n"
            f"def is_tensorrt_enabled(): return {enabled}\n"
            "def get_loaded_tensorrt_version():\n"
            "    try: ctypes.CDLL('libnvinfer.so.7')\n"
            "    except OSError: os.abort()\n"
            f"    return {loaded}\n"
        )
        return str(package.parent)

    return make


@pytest.fixture
def libnvinfer(tmp_path: Path) -> str:
    """A folder for LD_LIBRARY_PATH with some library under TensorRT's name."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "libnvinfer.so.7").symlink_to(_ctypes.__file__)
    return str(folder)


def test_without_tensorflow(refusal, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    sentence = refusal(python=str(tmp_path / "bare/bin/python"))
    assert "TensorFlow cannot be imported (No module named 'tensorflow'): convert in the converter's image" in sentence


def test_a_tensorflow_without_tf_trt(refusal) -> None:
    sentence = refusal()
    assert "has no TF-TRT (tensorflow-cpu never has it, tensorflow until 2.17): convert in the converter's" in sentence


@pytest.mark.parametrize("enabled", [True, False])  # 2.14 says yes without looking, 2.6 looks
def test_without_the_tensorrt_libraries(refusal, tensorflow_with_trt, enabled: bool) -> None:
    sentence = refusal(stand_in=tensorflow_with_trt(enabled))
    assert "TensorFlow 2.6.2 needs TensorRT 7.2.2, and libnvinfer.so.7 does not load: convert in" in sentence


@pytest.mark.parametrize("loaded", ["(7, 1, 3)", "(8, 0, 1)"])
def test_another_tensorrt_than_tensorflow_was_built_for(refusal, tensorflow_with_trt, libnvinfer, loaded) -> None:
    sentence = refusal(stand_in=tensorflow_with_trt(True, loaded), libraries=libnvinfer)
    assert "was built for TensorRT 7.2.2 and this machine has {}.{}.{}".format(*eval(loaded)) in sentence


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 16:14:05 UTC 2021\n", "470.57.02"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.05  Release Build\n", "560.35.05"),
        ("nothing that we know", None),
    ],
)
def test_the_driver_is_asked_by_the_kernel_s_file(tmp_path: Path, text, version) -> None:
    (tmp_path / "version").write_text(text)
    assert driver_version(tmp_path / "version") == version
    assert driver_version(tmp_path / "nowhere") is None


def test_without_a_gpu(refusal, tensorflow_with_trt, libnvinfer) -> None:
    sentence = refusal(stand_in=tensorflow_with_trt(True), libraries=libnvinfer)
    assert "TensorFlow finds no NVIDIA GPU" in sentence
    assert "serve the model as it is on one without, or rehearse with --dry-run" in sentence
