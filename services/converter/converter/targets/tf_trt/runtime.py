"""What this machine has: probed before anything that would abort the process."""

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

from converter.errors import ConverterError

# The kernel module's version, also visible in containers.
_DRIVER = Path("/proc/driver/nvidia/version")

_USE_THE_IMAGE = (
    "convert in the converter's image, which has both: `make convert MODEL=models_repo/NAME`, or "
    "`docker compose run --rm converter models_repo/NAME`; without a GPU try --dry-run"
)


@dataclass(frozen=True)
class Runtime:
    """The versions of TensorFlow and of the TensorRT it loaded, and the GPU that engines are built for.

    The GPU is None in a dry run; the others are None where they are unknown."""

    tensorflow: str
    tensorrt: str
    gpu: Optional[str] = None
    compute_capability: Optional[str] = None
    driver: Optional[str] = None


def probe() -> Runtime:
    """Check for TensorFlow, TF-TRT, the TensorRT libraries and a GPU, in this order.

    Raises:
        ConverterError: one of them is missing.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ConverterError(f"TensorFlow cannot be imported ({error}): {_USE_THE_IMAGE}") from None
    if not tf.sysconfig.get_build_info().get("is_tensorrt_build"):
        raise ConverterError(
            f"TensorFlow {tf.__version__} has no TF-TRT (tensorflow has it up to 2.17, tensorflow-cpu never): "
            f"{_USE_THE_IMAGE}"
        )
    tensorrt = _loaded_tensorrt(tf.__version__)
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise ConverterError(
            "TensorFlow finds no NVIDIA GPU, which engines are built on: convert on the machine that serves the model, "
            "or try --dry-run; without a GPU, serve the source instead"
        )
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability")
    return Runtime(
        tf.__version__,
        tensorrt,
        str(details.get("device_name", "unknown GPU")),
        _dotted(capability) if capability else None,
        driver_version(_DRIVER),
    )


def driver_version(path: Path) -> Optional[str]:
    """The version in NVIDIA's ``NVRM version: … Kernel Module  470.57.02 …``, or None."""
    try:
        found = re.search(r"\s(\d+(?:\.\d+)+)\s", path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found.group(1) if found else None


def _loaded_tensorrt(tensorflow: str) -> str:
    """The version of the TensorRT libraries; TensorFlow itself aborts the process if they are missing."""
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils as tensorrt

    linked = tensorrt.get_linked_tensorrt_version()
    library = f"libnvinfer.so.{linked[0]}"
    try:
        # Some builds return true from is_tensorrt_enabled() without loading the libraries.
        ctypes.CDLL(library)
        found = tensorrt.is_tensorrt_enabled()
    except OSError:
        found = False
    if not found:
        raise ConverterError(
            f"TensorFlow {tensorflow} needs TensorRT {_dotted(linked)}, and {library} does not load: {_USE_THE_IMAGE}"
        )
    loaded = tensorrt.get_loaded_tensorrt_version()
    if loaded < linked or loaded[0] != linked[0]:
        raise ConverterError(
            f"TensorFlow {tensorflow} needs TensorRT {_dotted(linked)}, but this machine has {_dotted(loaded)}: "
            f"{_USE_THE_IMAGE}"
        )
    return _dotted(loaded)


def _dotted(version: Tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
