"""The engines that run the graphs: TensorFlow, or OpenVINO where it can and TensorFlow for the rest.

On any engine a loaded version is a :class:`~serving.models.servable.Servable`, with the same signatures, answers and
errors. An engine is an entry of ``_PACKAGES`` and a module of its name here, with ``load``, ``has_native_bf16`` and
``description`` as in ``openvino.py``.
"""

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from serving.flags import FlagError, Flags

log = logging.getLogger(__name__)

# The package that each engine needs besides TensorFlow, which is also the name of segstack-serving's extra.
_PACKAGES = {"tensorflow": None, "openvino": "openvino"}
_PRECISIONS = ("f32", "bf16", "auto")

# A version with a smaller fraction of equal pixels is refused. Measured on agreement.examples with DDRNet-23-slim:
# trained, 100 % in f32 and 99.9 % in bf16; with random weights, where near-ties are everywhere, nearly 100 % in f32 and
# 99 % in bf16. A graph that is read wrongly agrees by chance, on one pixel in as many as there are classes.
_MIN_AGREEMENT: Mapping[str, float] = {"f32": 0.999, "bf16": 0.97}


def check(flags: Flags) -> None:
    """Refuse invalid choices before anything slow is imported.

    Raises:
        FlagError: an unknown engine or precision, bf16 on TensorFlow, or the engine is not installed.
    """
    if flags.engine not in _PACKAGES:
        raise FlagError(f"--engine is {flags.engine!r}: expected one of {', '.join(_PACKAGES)}")
    if flags.precision not in _PRECISIONS:
        raise FlagError(f"--precision is {flags.precision!r}: expected one of {', '.join(_PRECISIONS)}")
    if flags.engine == "tensorflow" and flags.precision != "f32":
        raise FlagError(
            f"--precision={flags.precision} with --engine=tensorflow: TensorFlow computes in the graph's f32; "
            "add --engine=openvino, or leave --precision out"
        )
    if not 0 <= flags.engine_min_agreement <= 1:
        raise FlagError(f"--engine_min_agreement is {flags.engine_min_agreement:g}: expected a fraction from 0 to 1")
    package = _PACKAGES[flags.engine]
    if package is not None and importlib.util.find_spec(package) is None:
        raise FlagError(
            f"--engine={flags.engine}: the package {package} is not installed; install segstack-serving[{package}], or "
            "leave --engine out"
        )


def loader(flags: Flags, session_config: Any) -> Callable[[Path], Any]:
    """A function that loads a version folder on the engine of ``flags``; it raises ServingError."""
    from serving.models.servable import Servable  # imports TensorFlow

    if flags.engine == "tensorflow":
        return lambda path: Servable(path, session_config)
    from serving.engines.agreement import DisagreementError

    engine = importlib.import_module(f"serving.engines.{flags.engine}")
    precisions = [flags.precision]
    if flags.precision == "auto":
        precisions = ["bf16", "f32"] if engine.has_native_bf16() else ["f32"]
    log.info("engine: %s", engine.description())

    def load(path: Path) -> Servable:
        *others, last = precisions
        threads = flags.tensorflow_intra_op_parallelism
        for precision in others:
            try:
                return engine.load(path, session_config, precision, min_agreement(precision), threads)
            except DisagreementError as disagreement:
                log.warning("%s. Trying the next precision", disagreement.message)
        return engine.load(path, session_config, last, min_agreement(last), threads)

    def min_agreement(precision: str) -> float:
        return flags.engine_min_agreement or _MIN_AGREEMENT[precision]

    return load
