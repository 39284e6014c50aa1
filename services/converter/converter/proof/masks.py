"""How to ask a segmentation model for its mask: which signature, which tensors, and what its answer means."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from contract import PROBABILITIES, SCORES, SERVING_DEFAULT, Signature
from converter.arguments import Options
from converter.errors import ConverterError
from converter.saved_model import opened

_CLASS_IDS = ("uint8", "int32", "int64")


@dataclass(frozen=True)
class Interface:
    """One signature that takes images [N, ``height``, ``width``, 3] and answers masks or scores."""

    signature: str
    input: str
    dtype: str
    height: int
    width: int
    output: str

    def of(self, signature: str) -> "Interface":
        """The same image asked of ``scores`` or ``probabilities``, by the contract."""
        return replace(self, signature=signature, output="mask" if signature == SCORES else PROBABILITIES)

    def feeds(self, pixels: Any) -> Dict[str, Any]:
        """uint8 [N, H, W, 3] as the signature takes it; floats as -1 to 1, whatever the model was trained on."""
        return {self.input: pixels if self.dtype == "uint8" else pixels.astype(np.float32) / 127.5 - 1}

    def masks(self, answers: Mapping[str, Any]) -> Any:
        """Class ids uint8 [N, H, W]: the answer itself, the largest of several scores, or one sigmoid's two sides.

        A single score above 0.5 is the second class where all lie in 0 to 1, else one above 0.

        Raises:
            ConverterError: whole numbers that are no class ids, or more classes than a mask can say.
        """
        values = answers[self.output]
        if values.dtype.kind != "f":
            if not 0 <= values.min() <= values.max() < 256:
                raise ConverterError(f"{self.output} answers {values.max()}: expected class ids from 0 to 255")
            return (values[..., 0] if values.ndim == 4 else values).astype(np.uint8)
        if values.shape[-1] > 256:
            raise ConverterError(f"{self.output} answers scores of {values.shape[-1]} classes: expected at most 256")
        if values.shape[-1] > 1:
            return values.argmax(-1).astype(np.uint8)
        is_probability = values.min() >= 0 and values.max() <= 1
        return (values[..., 0] > (0.5 if is_probability else 0)).astype(np.uint8)


def of_source(options: Options) -> Interface:
    """How the source is asked.

    Raises:
        ConverterError: it does not load, or as :func:`interface_of`.
    """
    with opened(options.source.folder) as model:
        return interface_of(options.source.name, model.signatures, options.image_size)


def interface_of(name: str, signatures: Mapping[str, Signature], image_size: Optional[Tuple[int, int]]) -> Interface:
    """``serving_default``, else the only signature there is; the contract's, or another's that is like it.

    Args:
        name: of the model, for the refusals.
        signatures: its own.
        image_size: height and width, for a model that takes any.

    Raises:
        ConverterError: it does not take images of a known size, or does not answer masks or scores.
    """
    chosen = SERVING_DEFAULT if SERVING_DEFAULT in signatures else next(iter(signatures), "")
    if not signatures or (len(signatures) > 1 and chosen != SERVING_DEFAULT):
        raise ConverterError(
            f"{name} has the signatures {', '.join(signatures) or 'none'}: expected one, or {SERVING_DEFAULT}"
        )
    signature = signatures[chosen]
    images = {alias: spec for alias, spec in signature.inputs.items() if spec.dtype in ("uint8", "float32")}
    if len(signature.inputs) != 1 or len(images) != 1:
        takes = ", ".join(f"{alias} {spec}" for alias, spec in signature.inputs.items())
        raise ConverterError(f"{name} takes {takes}: expected one input of images, uint8 or float32 [N, H, W, 3]")
    ((alias, spec),) = images.items()
    if len(spec.shape) != 4 or spec.shape[3] not in (3, None):
        raise ConverterError(f"{name} takes {alias} {spec}: expected images, uint8 or float32 [N, H, W, 3]")
    height, width = _size(name, f"{alias} {spec}", spec.shape[1:3], image_size)
    return Interface(chosen, alias, spec.dtype, height, width, _output(name, signature))


def _size(name: str, takes: str, own: Tuple[Optional[int], ...], wanted: Optional[Tuple[int, int]]) -> Tuple[int, int]:
    height, width = own
    if wanted is None:
        if height is None or width is None:
            raise ConverterError(
                f"{name} takes {takes}, of any size, and an engine takes one: name it with --image-size H W"
            )
        return height, width
    if (height, width) != (height and wanted[0], width and wanted[1]):
        raise ConverterError(f"--image-size {wanted[0]} {wanted[1]}: {name} takes {takes} (height, width)")
    return wanted


def _output(name: str, signature: Signature) -> str:
    """``mask``, else the first output that is a plane of class ids or of scores."""
    fits = [
        alias
        for alias, spec in sorted(signature.outputs.items())
        if (spec.dtype in _CLASS_IDS and len(spec.shape) in (3, 4))
        or (spec.dtype == "float32" and len(spec.shape) == 4)
    ]
    if not fits:
        answers = ", ".join(f"{alias} {spec}" for alias, spec in signature.outputs.items())
        raise ConverterError(
            f"{name} answers {answers}: expected class ids [N, H, W] or scores [N, H, W, classes], to compare"
        )
    return "mask" if "mask" in fits else fits[0]
