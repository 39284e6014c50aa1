"""From files to batches: image and label move together, labels stay labels, and a seed repeats it all."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.data.dataset import Dataset
from trainer.data.pipeline import augment, evaluation_batches, training_batches
from trainer.recipe import Augmentation, Data

STILL = {"flip": False, "scale": (1, 1), "brightness": 0, "contrast": 0, "saturation": 0}
MOVES_ONLY = {**STILL, "flip": True, "scale": (0.5, 2)}

# A label of blocks, each its own class, and an image whose red channel is ten times the label.
BLOCK = 16
LABEL = np.arange(1, 13).reshape(3, 4).repeat(BLOCK, 0).repeat(BLOCK, 1).astype(np.uint8)
IMAGE = np.stack([LABEL * 10, np.full_like(LABEL, 200), np.zeros_like(LABEL)], axis=-1)


def augmented(options, key, image=IMAGE, label=LABEL):
    image, label = augment(tf.constant(image), tf.constant(label), tf.constant(key), Augmentation(**options))
    return image.numpy(), label.numpy()


def batches_of(pipeline, count):
    return [tuple(part.numpy() for part in batch) for batch in pipeline.take(count)]


class TestAugment:
    def test_without_options_it_changes_nothing(self):
        image, label = augmented(STILL, [1, 2])
        np.testing.assert_array_equal(image, IMAGE)
        np.testing.assert_array_equal(label, LABEL)

    @pytest.mark.parametrize("key", [[seed, seed * 7] for seed in range(12)])
    def test_image_and_label_move_together(self, key):
        image, label = augmented(MOVES_ONLY, key)
        assert image.shape == IMAGE.shape
        assert label.shape == LABEL.shape
        inside = label != 255
        # Between blocks the image is interpolated and the label is not: there they may differ by half a step.
        differs = np.abs(image[..., 0] / 10 - label)[inside]
        assert np.median(differs) < 0.1
        assert (differs < 0.1).mean() > 0.75
        assert not image[~inside].any()

    def test_it_does_move_them(self):
        labels = [augmented(MOVES_ONLY, [seed, 0])[1] for seed in range(8)]
        assert len({label.tobytes() for label in labels}) == 8
        assert any((label == 255).any() for label in labels)
        assert any((label != 255).all() for label in labels)

    def test_mirroring_happens_to_about_half(self):
        mirrored = [
            np.array_equal(augmented({**STILL, "flip": True}, [seed, 1])[1], LABEL[:, ::-1]) for seed in range(40)
        ]
        assert 10 < sum(mirrored) < 30

    @pytest.mark.parametrize("seed", range(6))
    def test_labels_never_hold_a_value_that_was_not_there(self, seed):
        label = np.random.default_rng(seed).choice(np.array([0, 3, 9, 255], np.uint8), LABEL.shape)
        _, moved = augmented({"scale": (0.4, 2.5)}, [seed, seed], label=label)
        assert moved.dtype == np.uint8
        assert set(np.unique(moved)) <= {0, 3, 9, 255}

    def test_light_changes_the_image_alone(self):
        light = {**STILL, "brightness": 0.5, "contrast": 0.5, "saturation": 0.5}
        image, label = augmented(light, [3, 4])
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - IMAGE).mean() > 5
        np.testing.assert_array_equal(label, LABEL)

    def test_the_same_key_gives_the_same_result(self):
        for one, again, other in zip(augmented({}, [5, 6]), augmented({}, [5, 6]), augmented({}, [5, 7]), strict=True):
            np.testing.assert_array_equal(one, again)
            assert not np.array_equal(one, other)


@pytest.fixture
def data(dataset):
    return Data(path=dataset.root, input_height=32, input_width=48, batch_size=4)


class TestEvaluationBatches:
    def test_every_item_comes_once_and_the_smaller_last_batch_counts(self, dataset, data):
        batches = batches_of(evaluation_batches(dataset, dataset.items[:10], data), -1)
        assert [images.shape for images, _ in batches] == [(4, 32, 48, 3), (4, 32, 48, 3), (2, 32, 48, 3)]
        assert [labels.shape for _, labels in batches] == [(4, 32, 48), (4, 32, 48), (2, 32, 48)]

    def test_at_their_own_size_they_are_the_files(self, dataset, data):
        own_size = data.model_copy(update={"input_height": 64, "input_width": 96})
        ((images, labels),) = batches_of(evaluation_batches(dataset, dataset.items[:3], own_size), -1)
        for item, image, label in zip(dataset.items, images, labels, strict=False):
            on_disk = [tf.io.read_file(str(dataset.root / path)) for path in (item.image, item.mask)]
            np.testing.assert_array_equal(image, tf.io.decode_jpeg(on_disk[0]))
            np.testing.assert_array_equal(label, tf.io.decode_png(on_disk[1])[..., 0])

    def test_labels_are_never_interpolated(self, dataset, data):
        odd_size = data.model_copy(update={"input_height": 37, "input_width": 41})
        for _, labels in batches_of(evaluation_batches(dataset, dataset.items, odd_size), -1):
            assert labels.dtype == np.uint8
            assert labels.max() < len(dataset.classes)

    def test_sizes_are_changed_with_half_pixel_centres(self, data, tmp_path, write_files, dataset):
        """OpenCV's INTER_LINEAR, as every client resizes, to within one grey level."""
        import cv2

        photo = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
        write_files(tmp_path, {"images/a.png": photo, "masks/a.png": np.zeros((50, 70), np.uint8)})
        one = Dataset(tmp_path, dataset.classes, (type(dataset.items[0])("a", "images/a.png", "masks/a.png"),))
        ((images, _),) = batches_of(evaluation_batches(one, one.items, data), -1)
        expected = cv2.resize(photo, (48, 32), interpolation=cv2.INTER_LINEAR)
        assert np.abs(images[0].astype(int) - expected).max() <= 1


class TestTrainingBatches:
    def test_are_whole_shuffled_and_endless(self, dataset, data):
        batches = batches_of(training_batches(dataset, dataset.items[:6], data, seed=1), 5)
        assert {(images.shape, labels.shape) for images, labels in batches} == {((4, 32, 48, 3), (4, 32, 48))}

    def test_every_item_comes_before_any_comes_again(self, dataset, data):
        still = data.model_copy(update={"augmentation": Augmentation(**STILL), "batch_size": 1})
        items = dataset.items[:8]
        in_order = [image.tobytes() for image, _ in batches_of(evaluation_batches(dataset, items, still), -1)]
        shuffled = [image.tobytes() for image, _ in batches_of(training_batches(dataset, items, still, seed=1), 16)]
        assert sorted(shuffled[:8]) == sorted(shuffled[8:]) == sorted(in_order)
        assert shuffled[:8] != in_order
        assert shuffled[:8] != shuffled[8:]

    def test_the_seed_repeats_them(self, dataset, data):
        def run(seed):
            return [a.tobytes() + b.tobytes() for a, b in batches_of(training_batches(dataset, items, data, seed), 4)]

        items = dataset.items[:12]
        assert run(1) == run(1)
        assert run(1) != run(2)
