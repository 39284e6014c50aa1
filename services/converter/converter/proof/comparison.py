"""The proof: source and result asked for the masks of the same images, in sessions side by side."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from contract import ModelCard
from converter.images import Images
from converter.proof.agreement import Agreement, compare
from converter.proof.latency import Latency, measure
from converter.proof.masks import Interface
from converter.proof.picture import side_by_side
from converter.saved_model import SavedModel, opened


@dataclass(frozen=True)
class Proof:
    """What was compared and how it came out.

    ``names`` says of each mask which image it is of, and at which batch size where there were several. ``picture`` is
    the worst one, a PNG. ``expected`` are the source's masks, one an image. ``others``: how the masks of further
    converted signatures agree with the same.
    """

    images: Images
    interface: Interface
    names: Tuple[str, ...]
    agreement: Agreement
    latencies: Tuple[Latency, ...]
    picture: bytes
    expected: Tuple[Any, ...]
    batch_sizes: Tuple[int, ...]
    others: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of all pixels, the share that keeps its class in the signature that agrees least."""
        return min(agreement.share for agreement in (self.agreement, *self.others.values()))

    def again(self, folder: Path) -> float:
        """The share with another SavedModel, shown the same: the one that is to be published."""
        interfaces = [self.interface, *map(self.interface.of, self.others)]
        with opened(folder) as model:
            return min(
                _agreement(self.expected, model, each, self.images, self.batch_sizes).share for each in interfaces
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
    """Compare the masks of every image at every batch size, each of which has an engine of its own; then time both.

    Args:
        source: a SavedModel's folder, asked for one image at a time.
        converted: another's, with the same tensors.
        interface: how to ask them.
        images: what to show them.
        batch_sizes: at which to ask ``converted``.
        card: whose colours the picture has.
        signature: the name that it has in ``converted``, where that is another.
        timed: whether to measure latencies.
        others: further signatures of ``converted``, the contract's, whose masks are compared as well.

    Raises:
        ConverterError: an image that cannot be read, or a SavedModel that does not load.
    """
    with opened(source) as one, opened(converted) as other:
        expected = tuple(_masks(one, interface, images, (1,)))
        actual = _masks(other, replace(interface, signature=signature or interface.signature), images, batch_sizes)
        agreement = compare(expected * len(batch_sizes), actual)
        image = images.read(agreement.worst % len(expected), interface.height, interface.width)
        further = {name: _agreement(expected, other, interface.of(name), images, batch_sizes) for name in others}
        latencies = measure(one, other, interface, image, batch_sizes) if timed else []
    worst = (expected[agreement.worst % len(expected)], actual[agreement.worst])
    suffixes = [f" (batch of {size})" for size in batch_sizes] if len(batch_sizes) > 1 else [""]
    return Proof(
        images=images,
        interface=interface,
        names=tuple(name + suffix for suffix in suffixes for name in images.names()),
        agreement=agreement,
        latencies=tuple(latencies),
        picture=side_by_side(image, *worst, card),
        expected=expected,
        batch_sizes=tuple(batch_sizes),
        others=further,
    )


def _agreement(
    expected: Tuple[Any, ...], model: SavedModel, interface: Interface, images: Images, batch_sizes: Sequence[int]
) -> Agreement:
    return compare(expected * len(batch_sizes), _masks(model, interface, images, batch_sizes))


def _masks(model: SavedModel, interface: Interface, images: Images, batch_sizes: Sequence[int]) -> List[Any]:
    """Of every image, at one batch size after the other; the last batch is filled up with its last image."""
    found: List[Any] = []
    count = len(images.names())
    for batch_size in batch_sizes:
        for start in range(0, count, batch_size):
            indices = range(start, min(start + batch_size, count))
            batch = [images.read(index, interface.height, interface.width) for index in indices]
            batch += batch[-1:] * (batch_size - len(batch))
            answers = model.run(interface.signature, interface.feeds(np.stack(batch)))
            found += list(interface.masks(answers)[: len(indices)])
    return found
