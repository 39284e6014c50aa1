"""The proof: the source's and the converted model's masks of the same images, compared."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from contract import ModelCard
from converter.images import Images
from converter.interface import Interface
from converter.proof.agreement import Agreement, compare
from converter.proof.latency import Latency, measure
from converter.saved_model import SavedModel, opened

_RED = (255, 0, 0)


@dataclass(frozen=True)
class Proof:
    """What was compared, and the result.

    Attributes:
        images: the images compared on.
        interface: the signature compared, and its tensors.
        names: of each mask, its image and, if there are several, its batch size.
        agreement: of the masks of ``interface``'s signature.
        latencies: one per batch size; empty if not measured.
        worst_image: a PNG of the image with the lowest agreement, see :func:`draw_difference`.
        expected: the source's masks, one per image.
        batch_sizes: those that the converted model was run at.
        others: the agreement of further converted signatures with the same masks.
    """

    images: Images
    interface: Interface
    names: Tuple[str, ...]
    agreement: Agreement
    latencies: Tuple[Latency, ...]
    worst_image: bytes
    expected: Tuple[Any, ...]
    batch_sizes: Tuple[int, ...]
    others: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def fraction(self) -> float:
        """The fraction of pixels that keep their class, of the signature with the lowest agreement."""
        return min(agreement.fraction for agreement in (self.agreement, *self.others.values()))

    def repeat(self, folder: Path) -> float:
        """The same fraction for another SavedModel on the same images: for the one that will be published."""
        interfaces = [self.interface, *map(self.interface.of, self.others)]
        with opened(folder) as model:
            return min(
                _agreement(self.expected, model, each, self.images, self.batch_sizes).fraction for each in interfaces
            )


def prove(
    source: Path,
    converted: Path,
    interface: Interface,
    images: Images,
    batch_sizes: Sequence[int],
    card: Optional[ModelCard] = None,
    signature: Optional[str] = None,
    timed: bool = True,
    others: Sequence[str] = (),
) -> Proof:
    """Compare the masks of every image at every batch size, as each has its own engine; then time both models.

    Args:
        source: the source's SavedModel, run at batch size 1.
        converted: the converted SavedModel, with the same tensors.
        interface: the signature to compare, and its tensors.
        images: the images to compare on.
        batch_sizes: those to run ``converted`` at.
        card: its colours are used to draw the worst image.
        signature: the signature's name in ``converted``, if it differs.
        timed: whether to measure latencies.
        others: further signatures of the contract in ``converted`` whose masks are compared as well.

    Raises:
        ConverterError: an image cannot be read, or a SavedModel does not load.
    """
    with opened(source) as before, opened(converted) as after:
        expected = tuple(_masks(before, interface, images, (1,)))
        actual = _masks(after, replace(interface, signature=signature or interface.signature), images, batch_sizes)
        agreement = compare(expected * len(batch_sizes), actual)
        image = images.read(agreement.worst % len(expected), interface.height, interface.width)
        further = {name: _agreement(expected, after, interface.of(name), images, batch_sizes) for name in others}
        latencies = measure(before, after, interface, image, batch_sizes) if timed else []
    worst = (expected[agreement.worst % len(expected)], actual[agreement.worst])
    suffixes = [f" (batch of {size})" for size in batch_sizes] if len(batch_sizes) > 1 else [""]
    return Proof(
        images=images,
        interface=interface,
        names=tuple(name + suffix for suffix in suffixes for name in images.names()),
        agreement=agreement,
        latencies=tuple(latencies),
        worst_image=draw_difference(image, *worst, card),
        expected=expected,
        batch_sizes=tuple(batch_sizes),
        others=further,
    )


def draw_difference(image: Any, expected: Any, actual: Any, card: Optional[ModelCard]) -> bytes:
    """A PNG of four panels: the image, the two masks in colour, and in red the pixels on which they differ.

    Args:
        image: uint8 [H, W, 3].
        expected: the source's mask, uint8; smaller than the image where a model returns small masks.
        actual: the other mask, of the same size.
        card: the classes' colours; without it they are made up.
    """
    palette = _palette(card)
    height, width = expected.shape
    with tf.device("/CPU:0"):
        small = tf.cast(tf.image.resize(image, [height, width]), tf.uint8).numpy()
        grey = np.repeat(small.mean(-1, keepdims=True) / 3, 3, axis=-1).astype(np.uint8)
        grey[expected != actual] = _RED
        panels = [small, palette[expected], palette[actual], grey]
        png: bytes = tf.io.encode_png(np.concatenate(panels, axis=1)).numpy()
    return png


def _palette(card: Optional[ModelCard]) -> Any:
    """uint8 [256, 3]; without a card, neighbouring ids get clearly different colours."""
    ids = np.arange(256)
    palette = np.stack([ids * 67 % 256, ids * 131 % 256, ids * 197 % 256], axis=-1).astype(np.uint8)
    if card is not None:
        for known in card.classes:
            palette[known.id] = known.color
    return palette


def _agreement(
    expected: Tuple[Any, ...], model: SavedModel, interface: Interface, images: Images, batch_sizes: Sequence[int]
) -> Agreement:
    return compare(expected * len(batch_sizes), _masks(model, interface, images, batch_sizes))


def _masks(model: SavedModel, interface: Interface, images: Images, batch_sizes: Sequence[int]) -> List[Any]:
    """The masks of all images at one batch size after the other; the last batch is padded with its last image."""
    masks: List[Any] = []
    count = len(images.names())
    for batch_size in batch_sizes:
        for start in range(0, count, batch_size):
            indices = range(start, min(start + batch_size, count))
            batch = [images.read(index, interface.height, interface.width) for index in indices]
            batch += batch[-1:] * (batch_size - len(batch))
            outputs = model.run(interface.signature, interface.feeds(np.stack(batch)))
            masks += list(interface.masks(outputs)[: len(indices)])
    return masks
