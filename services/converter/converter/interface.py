"""How to get masks from a segmentation model: which signature, which tensors, and how to read its outputs."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from contract import PROBABILITIES, SCORES, SERVING_DEFAULT, Signature, signatures
from converter.arguments import Options
from converter.errors import ConverterError
from converter.saved_model import opened

_CLASS_IDS = ("uint8", "int32", "int64")


@dataclass(frozen=True)
class Interface:
    """A signature that takes images [N, ``height``, ``width``, 3] and returns masks or scores."""

    signature: str
    input: str
    dtype: str
    height: int
    width: int
    output: str

    def of(self, signature: str) -> "Interface":
        """The interface of ``scores`` or ``probabilities``, which take the same image by the contract."""
        return replace(self, signature=signature, output="mask" if signature == SCORES else PROBABILITIES)

    def feeds(self, pixels: Any) -> Dict[str, Any]:
        """uint8 [N, H, W, 3] converted to the input's dtype; floats are scaled to -1..1 for every model."""
        return {self.input: pixels if self.dtype == "uint8" else pixels.astype(np.float32) / 127.5 - 1}

    def masks(self, outputs: Mapping[str, Any]) -> Any:
        """Class ids uint8 [N, H, W]: the output itself, the argmax of several scores, or a thresholded single score.

        The threshold of a single score is 0.5 if all scores are in 0..1 (a sigmoid), else 0 (a logit).

        Raises:
            ConverterError: integers that are not class ids, or more classes than a uint8 mask can hold.
        """
        values = outputs[self.output]
        if values.dtype.kind != "f":
            if not 0 <= values.min() <= values.max() < 256:
                raise ConverterError(f"{self.output} returns {values.max()}: expected class ids from 0 to 255")
            return (values[..., 0] if values.ndim == 4 else values).astype(np.uint8)
        if values.shape[-1] > 256:
            raise ConverterError(f"{self.output} returns scores of {values.shape[-1]} classes: expected at most 256")
        if values.shape[-1] > 1:
            return values.argmax(-1).astype(np.uint8)
        is_probability = values.min() >= 0 and values.max() <= 1
        return (values[..., 0] > (0.5 if is_probability else 0)).astype(np.uint8)


def of_source(options: Options) -> Interface:
    """The interface of the source.

    Raises:
        ConverterError: it does not load, lacks a signature of the contract, or see :func:`interface_of`.
    """
    card = options.source.card
    with opened(options.source.folder) as model:
        missing = [name for name in signatures(card) if name not in model.signatures] if card else []
        if missing:
            raise ConverterError(
                f"{options.source} lacks the signature {', '.join(missing)}: export it again with this version of "
                "segstack, then convert that"
            )
        return interface_of(options.source.name, model.signatures, options.image_size)


def interface_of(name: str, found: Mapping[str, Signature], image_size: Optional[Tuple[int, int]]) -> Interface:
    """The interface of ``serving_default``, else of the only signature; also for third-party models.

    Args:
        name: the model's, for error messages.
        found: the model's signatures.
        image_size: height and width, for a model that takes any size.

    Raises:
        ConverterError: it does not take images of a known size, or does not return masks or scores.
    """
    chosen = SERVING_DEFAULT if SERVING_DEFAULT in found else next(iter(found), "")
    if not found or (len(found) > 1 and chosen != SERVING_DEFAULT):
        raise ConverterError(
            f"{name} has the signatures {', '.join(found) or 'none'}: expected {SERVING_DEFAULT}, or only one"
        )
    signature = found[chosen]
    images = {alias: spec for alias, spec in signature.inputs.items() if spec.dtype in ("uint8", "float32")}
    if len(signature.inputs) != 1 or len(images) != 1:
        takes = ", ".join(f"{alias} {spec}" for alias, spec in signature.inputs.items())
        raise ConverterError(f"{name} takes {takes}: expected one input of images, uint8 or float32 [N, H, W, 3]")
    ((alias, spec),) = images.items()
    if len(spec.shape) != 4 or spec.shape[3] not in (3, None):
        raise ConverterError(f"{name} takes {alias} {spec}: expected images, uint8 or float32 [N, H, W, 3]")
    height, width = _size(name, f"{alias} {spec}", spec.shape[1:3], image_size)
    return Interface(chosen, alias, spec.dtype, height, width, _output(name, signature))


def _size(
    name: str, takes: str, fixed: Tuple[Optional[int], ...], requested: Optional[Tuple[int, int]]
) -> Tuple[int, int]:
    height, width = fixed
    if requested is None:
        if height is None or width is None:
            raise ConverterError(
                f"{name} takes {takes}, of any size, but an engine takes one size: choose it with --image-size H W"
            )
        return height, width
    if (height, width) != (height and requested[0], width and requested[1]):
        raise ConverterError(f"--image-size {requested[0]} {requested[1]}: {name} takes {takes} (height, width)")
    return requested


def _output(name: str, signature: Signature) -> str:
    """``mask``, else the first output with the shape and dtype of class ids or scores."""
    candidates = [
        alias
        for alias, spec in sorted(signature.outputs.items())
        if (spec.dtype in _CLASS_IDS and len(spec.shape) in (3, 4))
        or (spec.dtype == "float32" and len(spec.shape) == 4)
    ]
    if not candidates:
        returns = ", ".join(f"{alias} {spec}" for alias, spec in signature.outputs.items())
        raise ConverterError(f"{name} returns {returns}: expected class ids [N, H, W] or scores [N, H, W, classes]")
    return "mask" if "mask" in candidates else candidates[0]
