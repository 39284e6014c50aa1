"""From files to batches: the same order for any number of workers and from any step, and every item once."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.datasets.dataset import Dataset, Item
from trainer.errors import UserError
from trainer.input import pipeline
from trainer.input.pipeline import evaluation_batches, training_batches
from trainer.input.sampling import Shard
from trainer.recipe import Data


@pytest.fixture
def data(dataset):
    """32x48, batches of 4, default augmentation."""
    return Data(path=dataset.root, input_height=32, input_width=48, batch_size=4)


@pytest.fixture
def still(data):
    """The same without augmentation."""
    return data.model_copy(update={"augmentation": ()})


def batches_of(batches, count=-1):
    return [tuple(part.numpy() for part in batch) for batch in batches.take(count)]


def contents(batches):
    """Each batch as bytes, to be compared."""
    return [image.tobytes() + label.tobytes() for image, label in batches]


class TestEvaluationBatches:
    def test_every_item_once_including_the_smaller_last_batch(self, dataset, data):
        batches = batches_of(evaluation_batches(dataset, dataset.items[:10], data))
        assert [images.shape for images, _ in batches] == [(4, 32, 48, 3), (4, 32, 48, 3), (2, 32, 48, 3)]
        assert [labels.shape for _, labels in batches] == [(4, 32, 48), (4, 32, 48), (2, 32, 48)]

    def test_images_at_their_own_size_equal_the_files(self, dataset, data):
        own_size = data.model_copy(update={"input_height": 64, "input_width": 96})
        ((images, labels),) = batches_of(evaluation_batches(dataset, dataset.items[:3], own_size))
        for item, image, label in zip(dataset.items, images, labels, strict=False):
            on_disk = [tf.io.read_file(str(dataset.root / path)) for path in (item.image, item.mask)]
            # The codecs round chroma differently.
            difference = image.astype(int) - tf.io.decode_jpeg(on_disk[0], dct_method="INTEGER_ACCURATE").numpy()
            assert np.abs(difference).max() <= 1
            np.testing.assert_array_equal(label, tf.io.decode_png(on_disk[1])[..., 0])

    def test_labels_are_never_interpolated(self, dataset, data):
        odd_size = data.model_copy(update={"input_height": 37, "input_width": 41})
        for _, labels in batches_of(evaluation_batches(dataset, dataset.items, odd_size)):
            assert labels.dtype == np.uint8
            assert labels.max() < len(dataset.classes)

    def test_resizing_uses_half_pixel_centres(self, data, tmp_path, write_files, dataset):
        """As ``tf.image.resize`` in the exported graph does, to within one grey level."""
        photo = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
        write_files(tmp_path, {"images/a.png": photo, "masks/a.png": np.zeros((50, 70), np.uint8)})
        one = Dataset(tmp_path, dataset.classes, (Item("a", "images/a.png", "masks/a.png"),))
        ((images, _),) = batches_of(evaluation_batches(one, one.items, data))
        expected = tf.image.resize(photo, (32, 48)).numpy()
        assert np.abs(images[0] - expected).max() <= 1

    def test_workers_together_get_every_item(self, dataset, data):
        items = dataset.items[:11]
        together = [image for images, _ in batches_of(evaluation_batches(dataset, items, data)) for image in images]
        shares = [batches_of(evaluation_batches(dataset, items, data, Shard(i, 2))) for i in range(2)]
        apart = [image for share in shares for images, _ in share for image in images]
        assert sorted(i.tobytes() for i in apart) == sorted(i.tobytes() for i in together)


class TestTrainingBatches:
    def test_batches_are_complete_and_endless(self, dataset, data):
        batches = batches_of(training_batches(dataset, dataset.items[:6], data, seed=1), 5)
        assert {(images.shape, labels.shape) for images, labels in batches} == {((4, 32, 48, 3), (4, 32, 48))}

    def test_every_item_occurs_once_per_epoch(self, dataset, still):
        one_by_one = still.model_copy(update={"batch_size": 1})
        items = dataset.items[:8]
        in_order = contents(batches_of(evaluation_batches(dataset, items, one_by_one)))
        shuffled = contents(batches_of(training_batches(dataset, items, one_by_one, seed=1), 16))
        assert sorted(shuffled[:8]) == sorted(shuffled[8:]) == sorted(in_order)
        assert shuffled[:8] != in_order
        assert shuffled[:8] != shuffled[8:]

    def test_augmentation_differs_in_every_epoch(self, dataset, data):
        one = data.model_copy(update={"batch_size": 1})
        assert len(set(contents(batches_of(training_batches(dataset, dataset.items[:1], one, seed=1), 6)))) == 6

    def test_the_same_seed_gives_the_same_batches(self, dataset, data):
        def run(seed):
            return contents(batches_of(training_batches(dataset, dataset.items[:12], data, seed), 4))

        assert run(1) == run(1)
        assert run(1) != run(2)

    def test_number_of_threads_does_not_change_the_batches(self, dataset, data, monkeypatch):
        def run(threads):
            monkeypatch.setattr(pipeline, "threads", lambda: threads)
            return contents(batches_of(training_batches(dataset, dataset.items[:12], data, seed=1), 6))

        assert run(1) == run(4)

    @pytest.mark.parametrize("start_step", [1, 5])
    def test_resumes_from_any_step(self, dataset, data, start_step):
        items = dataset.items[:6]  # step 1 straddles two epochs
        whole = contents(batches_of(training_batches(dataset, items, data, seed=3), 8))
        rest = contents(
            batches_of(training_batches(dataset, items, data, seed=3, start_step=start_step), 8 - start_step)
        )
        assert rest == whole[start_step:]

    def test_workers_together_get_the_batches_of_a_single_one(self, dataset, data):
        items = dataset.items[:7]
        alone = batches_of(training_batches(dataset, items, data, seed=1), 4)
        shares = [batches_of(training_batches(dataset, items, data, seed=1, shard=Shard(i, 2)), 4) for i in range(2)]
        together = [tuple(map(np.concatenate, zip(*parts, strict=True))) for parts in zip(*shares, strict=True)]
        assert contents(together) == contents(alone)

    def test_indivisible_batch_is_a_user_error(self, dataset, data):
        with pytest.raises(UserError, match="a batch of 4 cannot be divided among 3 workers"):
            training_batches(dataset, dataset.items, data, seed=1, shard=Shard(0, 3))

    def test_operation_is_checked_before_the_first_batch(self, dataset, still, tmp_path):
        augmentation = [{"replace_background": {"folder": str(tmp_path)}}]
        data = Data.model_validate(still.model_dump() | {"augmentation": augmentation})
        with pytest.raises(UserError, match="contains no images"):
            training_batches(dataset, dataset.items, data, seed=1)

    def test_error_in_an_example_is_raised_as_user_error(self, dataset, still, tmp_path):
        (tmp_path / "wall.jpg").write_bytes(b"no image")
        augmentation = [{"replace_background": {"folder": str(tmp_path), "probability": 1}}]
        data = Data.model_validate(still.model_dump() | {"augmentation": augmentation})
        with pytest.raises(UserError) as raised, pipeline.reraise_user_errors():
            batches_of(training_batches(dataset, dataset.items[:4], data, seed=1), 1)
        assert str(raised.value) == f"{tmp_path / 'wall.jpg'}: cannot be decoded as an image: replace or remove it"

    def test_cache_does_not_change_the_batches(self, dataset, data):
        cached = data.model_copy(update={"cache": True})
        plain, kept = (training_batches(dataset, dataset.items[:5], d, seed=1) for d in (data, cached))
        assert contents(batches_of(plain, 4)) == contents(batches_of(kept, 4))

    def test_objects_of_other_images_are_pasted(self, dataset, still):
        pasting = Data.model_validate(still.model_dump() | {"augmentation": [{"copy_paste": {"probability": 1}}]})
        items = [i for i in dataset.items if i.id.endswith(("1", "2", "3"))]
        plain, pasted = (batches_of(training_batches(dataset, items, d, seed=1), 3) for d in (still, pasting))
        changed = [(a != b).any() for (_, a), (_, b) in zip(plain, pasted, strict=True)]
        assert any(changed)


def test_distribution_strategy_accepts_the_batches(dataset, data):
    """tf.distribute on one machine divides the batches that it is given."""
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    batches = strategy.experimental_distribute_dataset(training_batches(dataset, dataset.items[:8], data, seed=1))
    images, labels = next(iter(batches))
    assert (images.shape, labels.shape) == ((4, 32, 48, 3), (4, 32, 48))
