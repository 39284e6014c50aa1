"""The order of a training: a function of seed, epoch and position."""

import itertools

import pytest

from trainer.errors import UserError
from trainer.input.sampling import Shard, example_at


class TestExampleAt:
    def test_every_item_occurs_once_per_epoch(self):
        for epoch in range(3):
            examples = [example_at(position, 7, seed=1) for position in range(7 * epoch, 7 * epoch + 7)]
            assert sorted(examples) == [(epoch, item) for item in range(7)]

    def test_epochs_and_seeds_have_their_own_order(self):
        orders = {
            tuple(example_at(epoch * 50 + place, 50, seed)[1] for place in range(50))
            for epoch, seed in itertools.product(range(3), range(3))
        }
        assert len(orders) == 9

    def test_order_is_the_same_on_every_machine_and_in_every_release(self):
        """A training that continues after an update must continue in the same order."""
        assert [example_at(position, 5, seed=1)[1] for position in range(5)] == [2, 0, 1, 4, 3]


class TestShard:
    def test_shards_together_cover_every_position(self):
        shards = [Shard(index, 3) for index in range(3)]
        positions = sorted(s.position(local, batch_size=6) for s, local in itertools.product(shards, range(8)))
        assert positions == list(range(24))

    def test_each_batch_is_divided_among_workers(self):
        assert [Shard(1, 2).position(local, batch_size=4) for local in range(4)] == [2, 3, 6, 7]

    def test_indivisible_batch_is_a_user_error(self):
        with pytest.raises(
            UserError, match=r"a batch of 8 cannot be divided among 3 workers: set data\.batch_size to a"
        ):
            Shard(0, 3).rows(8)

    @pytest.mark.parametrize("index", [-1, 2])
    def test_invalid_worker_is_a_user_error(self, index):
        with pytest.raises(UserError, match=f"worker {index} of 2: expected a number from 0 to 1"):
            Shard(index, 2).rows(8)
