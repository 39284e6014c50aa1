"""What a machine may lack, through the real command line: one sentence, exit status 1, nothing published, no abort."""

import _ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from converter.targets.tf_trt.runtime import driver_version

SERVICES = Path(__file__).parents[4]


@pytest.fixture
def error_of_run(models_root: Path, tmp_path: Path):
    """``error_of_run()``: runs ``python -m converter`` on the published model and returns its error."""

    def run(python: str = sys.executable, stand_in: str = "", libraries: str = "") -> str:
        path = os.pathsep.join([stand_in, str(SERVICES / "contract"), str(SERVICES / "converter")]).strip(os.pathsep)
        result = subprocess.run(
            [python, "-m", "converter", str(models_root / "tiny"), "--models-root", str(tmp_path / "out")],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "LD_LIBRARY_PATH": libraries},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stdout) == (1, ""), result.stderr
        assert not (tmp_path / "out").exists()
        sentences = [line for line in result.stderr.splitlines() if line.startswith("python -m converter: ")]
        assert len(sentences) == 1, result.stderr
        return sentences[0]

    return run


@pytest.fixture
def tensorflow_with_trt(tmp_path: Path):
    """A fake TensorFlow with TF-TRT, which no machine without a GPU has; it aborts where TensorFlow would."""

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
    """A folder for LD_LIBRARY_PATH with a library that has TensorRT's name."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "libnvinfer.so.7").symlink_to(_ctypes.__file__)
    return str(folder)


def test_missing_tensorflow_is_reported(error_of_run, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    sentence = error_of_run(python=str(tmp_path / "bare/bin/python"))
    assert "TensorFlow cannot be imported (No module named 'tensorflow'): convert in the converter's image" in sentence


def test_tensorflow_without_tf_trt_is_reported(error_of_run) -> None:
    sentence = error_of_run()
    assert "has no TF-TRT (tensorflow has it up to 2.17, tensorflow-cpu never): convert in the converter's" in sentence


@pytest.mark.parametrize("enabled", [True, False])  # 2.14 returns true without loading them, 2.6 loads them
def test_missing_tensorrt_libraries_are_reported(error_of_run, tensorflow_with_trt, enabled: bool) -> None:
    sentence = error_of_run(stand_in=tensorflow_with_trt(enabled))
    assert "TensorFlow 2.6.2 needs TensorRT 7.2.2, and libnvinfer.so.7 does not load: convert in" in sentence


@pytest.mark.parametrize("loaded", ["(7, 1, 3)", "(8, 0, 1)"])
def test_wrong_tensorrt_version_is_reported(error_of_run, tensorflow_with_trt, libnvinfer, loaded) -> None:
    sentence = error_of_run(stand_in=tensorflow_with_trt(True, loaded), libraries=libnvinfer)
    assert "needs TensorRT 7.2.2, but this machine has {}.{}.{}".format(*eval(loaded)) in sentence


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 16:14:05 UTC 2021\n", "470.57.02"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.05  Release Build\n", "560.35.05"),
        ("no version", None),
    ],
)
def test_driver_version_is_parsed_from_the_kernel_module(tmp_path: Path, text, version) -> None:
    (tmp_path / "version").write_text(text)
    assert driver_version(tmp_path / "version") == version
    assert driver_version(tmp_path / "nowhere") is None


def test_missing_gpu_is_reported(error_of_run, tensorflow_with_trt, libnvinfer) -> None:
    sentence = error_of_run(stand_in=tensorflow_with_trt(True), libraries=libnvinfer)
    assert "TensorFlow finds no NVIDIA GPU" in sentence
    assert "--dry-run" in sentence
