"""Which example stands where in a training, and the chance that goes with it: functions of the seed alone.

Nothing is remembered from example to example, so any number of workers may compute them in any order, and a training
can go on from any step.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.augmentation.operations import example_generator
from trainer.errors import UserError

# The highest word of Philox's counter tells streams apart: examples have their index there, the order has this.
_ORDER = 2**63


@dataclass(frozen=True)
class Shard:
    """The part of every global batch that worker ``index`` of ``count`` takes: together they see all of it, once."""

    index: int = 0
    count: int = 1

    def rows(self, batch_size: int) -> int:
        """How many of a global batch's examples are this worker's.

        Raises:
            UserError: the batch cannot be divided evenly.
        """
        if not 0 <= self.index < self.count:
            raise UserError(f"worker {self.index} of {self.count}: expected a number from 0 to {self.count - 1}")
        if batch_size % self.count:
            raise UserError(
                f"batches of {batch_size} cannot be divided among {self.count} workers: set data.batch_size to a "
                f"multiple of {self.count}"
            )
        return batch_size // self.count

    def position(self, local: int, batch_size: int) -> int:
        """The place, in the order of all workers together, of this worker's example number ``local``."""
        batch, row = divmod(local, self.rows(batch_size))
        return batch * batch_size + self.index * self.rows(batch_size) + row


SINGLE = Shard()


def example_at(position: int, items: int, seed: int) -> tuple[int, int]:
    """Epoch and item of the example at ``position``; every item comes once before any comes again."""
    epoch, place = divmod(position, items)
    return epoch, int(_order(seed, epoch, items)[place])


@functools.lru_cache(maxsize=4)  # examples of two epochs are prepared at a time at their seam
def _order(seed: int, epoch: int, items: int) -> NDArray[np.int64]:
    return example_generator(seed, epoch, _ORDER).permutation(items)
