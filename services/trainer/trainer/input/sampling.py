"""The order of the examples in a training, as a function of the seed.

There is no state, so any number of workers may compute it in any order, and a training can resume from any step.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.augmentation.operations import example_generator
from trainer.errors import UserError

# The highest word of Philox's counter is the stream: the item's index for an example, and this for the order.
_ORDER = 2**63


@dataclass(frozen=True)
class Shard:
    """The part of every global batch for worker ``index`` of ``count``; the parts do not overlap."""

    index: int = 0
    count: int = 1

    def rows(self, batch_size: int) -> int:
        """The number of a global batch's examples for this worker.

        Raises:
            UserError: the batch size is not divisible by the number of workers.
        """
        if not 0 <= self.index < self.count:
            raise UserError(f"worker {self.index} of {self.count}: expected a number from 0 to {self.count - 1}")
        if batch_size % self.count:
            raise UserError(
                f"a batch of {batch_size} cannot be divided among {self.count} workers: set data.batch_size to a "
                f"multiple of {self.count}"
            )
        return batch_size // self.count

    def position(self, local: int, batch_size: int) -> int:
        """The position, in the order of all workers together, of this worker's example number ``local``."""
        batch, row = divmod(local, self.rows(batch_size))
        return batch * batch_size + self.index * self.rows(batch_size) + row


SINGLE = Shard()


def example_at(position: int, items: int, seed: int) -> tuple[int, int]:
    """Epoch and item of the example at ``position``; every item occurs once before any occurs again."""
    epoch, index = divmod(position, items)
    return epoch, int(_order(seed, epoch, items)[index])


@functools.lru_cache(maxsize=4)  # two epochs are in use at a time where one ends and the next begins
def _order(seed: int, epoch: int, items: int) -> NDArray[np.int64]:
    return example_generator(seed, epoch, _ORDER).permutation(items)
