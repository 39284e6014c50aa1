"""Third-party networks: a Keras file or a SavedModel, as one function from its images to its output."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from contract import SERVING_DEFAULT
from trainer.errors import UserError, one_line
from trainer.models import model_names

# The output of the networks in `trainer.models`; of several outputs it is the default.
LOGITS = "logits"


@dataclass(frozen=True)
class ForeignNetwork:
    """A network as stored in its file; only that it has one input and that the output exists is checked."""

    path: Path
    name: str
    call: Callable[[tf.Tensor], tf.Tensor]
    input_shape: tf.TensorShape
    input_dtype: tf.DType
    weights: Sequence[Any]
    owner: Any  # keeps a SavedModel's weights alive
    ours: bool = False  # built by `trainer.models`


def open_network(path: Path, output: str | None = None) -> ForeignNetwork:
    """Load a ``.keras`` file or the folder of a SavedModel; of several outputs take ``output``.

    Raises:
        UserError: there is neither at ``path``, it cannot be loaded, or input or output are ambiguous.
    """
    if (path / "saved_model.pb").is_file():
        return _open_saved_model(path, output)
    if path.is_file() and path.suffix in (".keras", ".h5", ".hdf5"):
        return _open_keras(path, output)
    hint = (
        f"; a PyTorch checkpoint of DDRNet is published with `segstack import-weights {shlex.quote(str(path))} "
        "--network ddrnet23_slim --publish NAME`"
        if path.suffix in (".pth", ".pt")
        else ""
    )
    raise UserError(
        f"{path} is not a network: expected a .keras file, or the folder of a SavedModel (with saved_model.pb){hint}"
    )


def _open_keras(path: Path, output: str | None) -> ForeignNetwork:
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # layers deserialise themselves, and raise any error
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"{path} cannot be loaded ({reason}). A network with custom layers or functions is saved by "
            "model.export(folder) where these are defined; give that folder to --from"
        ) from None
    return of_keras(model, path, output)


def of_keras(model: keras.Model, path: Path, output: str | None = None) -> ForeignNetwork:
    """A Keras model in memory; layers that the chosen output does not need (auxiliary heads) are left out.

    Raises:
        UserError: input or output are ambiguous; ``path`` is named in the message.
    """
    if not getattr(model, "inputs", None):
        raise UserError(f"{path} has no known input: save it by model.export(folder) and give that folder")
    if len(model.inputs) != 1:
        raise UserError(f"{path} takes {len(model.inputs)} inputs: expected one, the image")
    outputs = model.output
    if not isinstance(outputs, Mapping):
        outputs = dict(zip(model.output_names, model.outputs, strict=True))
    network = keras.Model(model.inputs[0], outputs[_choose(outputs, output, path)])
    (image,) = model.inputs
    return ForeignNetwork(
        path,
        model.name,
        lambda images: network(images, training=False),
        tf.TensorShape(image.shape),
        tf.as_dtype(image.dtype),
        network.weights,
        network,
        ours=_is_ours(model),
    )


def _is_ours(model: keras.Model) -> bool:
    """Whether `trainer.models` built it: the name alone is not enough, since others use `unet` too."""
    (image,) = model.inputs
    return (
        model.name in model_names()
        and image.name == "image"
        and isinstance(model.output, dict)
        and LOGITS in model.output
    )


def _open_saved_model(path: Path, output: str | None) -> ForeignNetwork:
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow's loader raises errors of many kinds
        raise UserError(f"{path} cannot be loaded: {one_line(error)}") from None
    if not loaded.signatures:
        raise UserError(
            f"{path} has no signature: save it by model.export(folder), or tf.saved_model.save with signatures"
        )
    name = SERVING_DEFAULT if SERVING_DEFAULT in loaded.signatures else next(iter(loaded.signatures))
    function = loaded.signatures[name]
    inputs = function.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(f"{path}: {name} takes {', '.join(inputs) or 'nothing'}: expected one input, the image")
    ((alias, image),) = inputs.items()
    chosen = _choose(function.structured_outputs, output, path)

    def call(images: tf.Tensor) -> tf.Tensor:
        return function(**{alias: images})[chosen]

    return ForeignNetwork(path, path.resolve().name, call, image.shape, image.dtype, function.variables, loaded)


def _choose(outputs: Mapping[str, Any], output: str | None, path: Path) -> str:
    if output in outputs:
        return str(output)
    if output is None and (len(outputs) == 1 or LOGITS in outputs):
        return LOGITS if LOGITS in outputs else next(iter(outputs))
    problem = f"has no output {output!r}" if output else "has several outputs"
    raise UserError(f"{path} {problem}: choose with --network-output one of {', '.join(outputs)}")
