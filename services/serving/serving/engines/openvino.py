"""Servables on OpenVINO: the numeric signatures of a SavedModel, several times faster on a CPU.

TensorFlow remains the reference. It loads the version, runs the signatures that OpenVINO does not support (strings,
missing operations), and every request that does not fit the compiled graph: a wrong rank is refused with the runtime's
own text, another image size is answered if the graph can.
"""

import contextlib
import logging
import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import openvino as ov
import tensorflow as tf
from numpy.typing import NDArray

from serving.engines import agreement
from serving.engines.agreement import DisagreementError
from serving.engines.openvino_graph import UpsampledArgmax, reader, without_tails
from serving.errors import ServingError
from serving.models.servable import Servable

log = logging.getLogger(__name__)

_DEVICE = "CPU"


def has_native_bf16() -> bool:
    """Whether this processor has bfloat16 instructions (AMX or AVX-512 BF16 on x86); without them bf16 is slower."""
    return "BF16" in ov.Core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")


def description() -> str:
    """The engine's version and the processor, for the log."""
    return f"OpenVINO {ov.get_version().split('-')[0]} on {ov.Core().get_property(_DEVICE, 'FULL_DEVICE_NAME').strip()}"


def load(path: Path, session_config: Any, precision: str, min_agreement: float, threads: int) -> Servable:
    """Load a version with ``precision`` "f32" or "bf16"; 0 ``threads`` leaves their number to OpenVINO.

    Raises:
        ServingError: as for :class:`Servable`; DisagreementError if a signature agrees on less than ``min_agreement``.
    """
    return OpenVINOServable(path, session_config, precision, min_agreement, threads)


class OpenVINOServable(Servable):
    """A version whose numeric signatures OpenVINO runs, in ``precision`` "f32" or "bf16".

    Each has been compared with TensorFlow's outputs (see :mod:`serving.engines.agreement`).

    Raises:
        ServingError: as for :class:`Servable`; DisagreementError if a signature agrees on less than ``min_agreement``.
    """

    def __init__(self, path: Path, session_config: Any, precision: str, min_agreement: float, threads: int = 0) -> None:
        super().__init__(path, session_config)
        self.compiled: list[CompiledSignature] = []
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            # A pinned thread waits for its core while the gateway uses it, and all others wait for that thread.
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        numeric = [name for name, signature in self.signatures.items() if _is_numeric(signature)]
        try:
            with reader(path) as read:
                for name in sorted(numeric):
                    try:
                        compiled = CompiledSignature(read.read(name), self.signatures[name], options)
                    except RuntimeError as error:
                        log.warning("%s: TensorFlow runs %s, as OpenVINO cannot: %s", path, name, _first_line(error))
                        continue
                    agreed = self._agreement(compiled)
                    if agreed is None:
                        log.info("%s: TensorFlow runs %s, as it refuses the inputs to compare on", path, name)
                        continue
                    engine = f"OpenVINO {compiled.precision}"
                    if agreed < min_agreement:
                        raise DisagreementError(path, f"{name} on {engine}", agreed, min_agreement)
                    log.info("%s: %s on %s agrees with TensorFlow on %.2f %%", path, name, engine, 100 * agreed)
                    self.compiled.append(compiled)
        except BaseException:
            self.close()
            raise

    def run(
        self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str], timeout_ms: int | None = None
    ) -> list[NDArray[Any] | np.generic | bytes]:
        """As :meth:`Servable.run`, on OpenVINO where a compiled signature takes exactly this."""
        for compiled in self.compiled:
            if compiled.takes(feeds, fetches):
                try:
                    return compiled.run(feeds, fetches, timeout_ms)
                except RuntimeError as error:
                    log.info("OpenVINO failed, TensorFlow runs the request: %s", _first_line(error))
                    break
        return super().run(feeds, fetches, timeout_ms)

    def close(self) -> None:
        """Free both engines' memory. No run may be in progress."""
        self.compiled.clear()
        super().close()

    def _agreement(self, compiled: "CompiledSignature") -> float | None:
        """The mean agreement over examples and outputs; None if TensorFlow itself refuses the examples."""
        compared = [f for f, alias in compiled.aliases.items() if alias == agreement.MASK] or list(compiled.aliases)
        fractions = []
        for arrays in agreement.examples(list(compiled.inputs.values())):
            feeds = dict(zip(compiled.inputs, arrays, strict=True))
            try:
                expected = super().run(feeds, compared)
            except ServingError:
                return None
            actual = compiled.run(feeds, compared, None)
            fractions += [
                agreement.equal_fraction(np.asarray(e), np.asarray(a)) for e, a in zip(expected, actual, strict=True)
            ]
        return float(np.mean(fractions))


@dataclass(frozen=True)
class _Output:
    index: int
    tail: UpsampledArgmax | None


class CompiledSignature:
    """One signature on OpenVINO, addressed like the session by the names of its tensors.

    Raises:
        RuntimeError: OpenVINO cannot compile it, or has other inputs and outputs than the signature.
    """

    def __init__(self, model: ov.Model, signature: Any, options: Mapping[str, Any]) -> None:
        model, self.tails = without_tails(model)
        self._compiled = ov.compile_model(model, _DEVICE, dict(options))
        # The CPU's: it computes in f32 if it has no bf16.
        self.precision: str = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self._ports = {info.name: self._compiled.input(alias) for alias, info in signature.inputs.items()}
        if len(self._ports) != len(self._compiled.inputs):
            raise RuntimeError(f"it has {len(self._compiled.inputs)} inputs, the signature {len(signature.inputs)}")
        self.inputs = {
            info.name: (np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype), [dim.size for dim in info.tensor_shape.dim])
            for info in signature.inputs.values()
        }
        self.aliases = {info.name: alias for alias, info in signature.outputs.items()}
        outputs = [next(iter(port.get_names())) for port in self._compiled.outputs]
        self._outputs = {
            tensor: _Output(outputs.index(alias), self.tails.get(alias)) for tensor, alias in self.aliases.items()
        }

    def takes(self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str]) -> bool:
        """Whether these are the signature's inputs, with dtypes and shapes that the compiled graph accepts."""
        return (
            feeds.keys() == self._ports.keys()
            and all(fetch in self._outputs for fetch in fetches)
            and all(
                array.dtype == self.inputs[name][0]
                and array.size > 0
                and self._ports[name].get_partial_shape().compatible(ov.PartialShape(list(array.shape)))
                for name, array in feeds.items()
            )
        )

    def run(
        self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str], timeout_ms: int | None
    ) -> list[NDArray[Any] | np.generic | bytes]:
        """The outputs ``fetches``; safe to call from many threads.

        Raises:
            RuntimeError: OpenVINO fails on these values.
            ServingError: DEADLINE_EXCEEDED after ``timeout_ms``.
        """
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            request.start_async({self._ports[name]: array for name, array in feeds.items()}, share_inputs=True)
            if timeout_ms is not None and not request.wait_for(timeout_ms):
                request.cancel()
                with contextlib.suppress(RuntimeError):  # raised because it was cancelled
                    request.wait()
                raise ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for notification")
            request.wait()
            return [self._value(request, self._outputs[fetch]) for fetch in fetches]
        finally:
            self._idle.put(request)

    def _value(self, request: Any, output: _Output) -> NDArray[Any]:
        # A view into the request, which the next run overwrites.
        view = request.get_output_tensor(output.index).data
        return output.tail(view) if output.tail else view.copy()


def _is_numeric(signature: Any) -> bool:
    """Whether every tensor is a number of known rank, and there are inputs at all."""
    return bool(signature.inputs) and all(
        info.name
        and not info.tensor_shape.unknown_rank
        and (tf.as_dtype(info.dtype).is_floating or tf.as_dtype(info.dtype).is_integer)
        for infos in (signature.inputs, signature.outputs)
        for info in infos.values()
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
