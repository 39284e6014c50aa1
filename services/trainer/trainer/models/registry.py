"""Networks by name. A network's file registers its builders, and `trainer.models` imports the file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from trainer.models import hub
from trainer.models.preprocessing import check_size

Builder = Callable[..., keras.Model]


@dataclass(frozen=True)
class _Entry:
    build: Builder
    multiple_of: int
    backbone: bool


_REGISTRY: dict[str, _Entry] = {}


def register(name: str, multiple_of: int, backbone: bool = False) -> Callable[[Builder], Builder]:
    """Decorate a builder to make it known by ``name``.

    It is called with (height, width, classes, auxiliary); a network with a backbone from ``keras.applications`` also
    gets that backbone's weights: ``"imagenet"``, the path of a file, or None.
    """

    def decorate(build: Builder) -> Builder:
        _REGISTRY[name] = _Entry(build, multiple_of, backbone)
        return build

    return decorate


def model_names() -> list[str]:
    """Every registered network."""
    return sorted(_REGISTRY)


def create_model(
    name: str, height: int, width: int, classes: int | None, auxiliary: bool = False, pretrained: bool | Path = False
) -> keras.Model:
    """Build a network.

    Args:
        name: one of :func:`model_names`, or ``keras_hub:<preset>`` for one that KerasHub has trained.
        height: of the input, in pixels.
        width: of the input, in pixels.
        classes: their number, background included; None, for a preset only, means those it was trained on.
        auxiliary: with an auxiliary head, for training.
        pretrained: start the backbone from ImageNet's weights, which ``keras.applications`` downloads once, or from
            those in a file; all other weights start at random.

    Returns:
        A model from float32 [N, height, width, 3], RGB normalised as :mod:`trainer.models.preprocessing` does, to
        ``{"logits": float32 [N, height / s, width / s, classes]}`` with s the network's output stride, and
        ``"auxiliary"``, of the same kind at its own stride, if ``auxiliary``.

    Raises:
        ValueError: no such network, no classes, an input size that does not fit, or no pretrained backbone; the message
            names the valid choices.
    """
    if classes is not None and classes < 1:
        raise ValueError(f"{name} cannot have {classes} classes: expected one or more")
    if name.startswith(hub.PREFIX):
        return hub.create_hub_model(name, height, width, classes, auxiliary)
    if name not in _REGISTRY:
        raise ValueError(f"no network {name!r}: choose one of {', '.join(model_names())}, or keras_hub:<preset>")
    if classes is None:
        raise ValueError(f"{name} has no default number of classes: give one")
    entry = _REGISTRY[name]
    check_size(name, height, width, entry.multiple_of)
    if entry.backbone:
        weights = "imagenet" if pretrained is True else str(pretrained) if pretrained else None
        return entry.build(height, width, classes, auxiliary, weights)
    if pretrained:
        with_backbone = ", ".join(other for other in model_names() if _REGISTRY[other].backbone)
        raise ValueError(f"{name} has no pretrained backbone; these have one: {with_backbone}")
    return entry.build(height, width, classes, auxiliary)
