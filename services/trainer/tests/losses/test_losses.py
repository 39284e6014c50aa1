"""Every loss and a plain float64 reference in NumPy, which looks at one image, one class, one pixel at a time."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.registry import LOSSES
from trainer.losses.total import loss_terms, total_loss
from trainer.recipe_values import create

IGNORED = 255


def softmax(logits):
    e = np.exp(logits - logits.max())
    return e / e.sum()


def pixels(labels, logits):
    """Label, softmax and sigmoids of every pixel that counts."""
    for label, z in zip(labels.reshape(-1), logits.reshape(-1, logits.shape[-1]), strict=True):
        if label != IGNORED:
            yield int(label), softmax(z), 1 / (1 + np.exp(-z))


def cross_entropy(labels, logits, class_weights=None, label_smoothing=0.0):
    total = count = 0.0
    for label, p, _ in pixels(labels, logits):
        weights = np.ones(len(p)) if class_weights is None else np.array(class_weights)
        target = np.full(len(p), label_smoothing / len(p))
        target[label] += 1 - label_smoothing
        total -= (weights * target * np.log(p)).sum()
        count += weights[label]
    return total / count


def ohem_cross_entropy(labels, logits, threshold=0.9, min_kept=131_072, class_weights=None):
    found = sorted((p[label], label) for label, p, _ in pixels(labels, logits))
    threshold = max(threshold, found[min(min_kept, len(found) - 1)][0])
    hard = [(p, label) for p, label in found if p < threshold]
    return sum(-math.log(p) * (class_weights[label] if class_weights else 1) for p, label in hard) / len(hard)


def focal(labels, logits, gamma=2.0, alpha=None):
    return np.mean(
        [
            -(alpha[label] if alpha else 1) * (1 - p[label]) ** gamma * math.log(p[label])
            for label, p, _ in pixels(labels, logits)
        ]
    )


def binary_cross_entropy(labels, logits):
    return binary_focal(labels, logits, gamma=0)


def binary_focal(labels, logits, gamma=2.0, alpha=None):
    losses = []
    for label, _, sigmoids in pixels(labels, logits):
        for channel, p in enumerate(sigmoids):
            positive = label == (channel if len(sigmoids) > 1 else 1)
            p, a = (p, alpha) if positive else (1 - p, None if alpha is None else 1 - alpha)
            losses.append(-(1 if a is None else a) * (1 - p) ** gamma * math.log(p))
    return np.mean(losses)


def images(labels, logits):
    """For each image, and each class its labels have: probabilities and truth of its pixels that count, as lists."""
    for image, z in zip(labels, logits, strict=True):
        counted = [(int(label), p, s) for label, p, s in pixels(image, z)]
        channels = range(z.shape[-1]) if z.shape[-1] > 1 else [1]
        classes = [c for c in channels if any(label == c for label, _, _ in counted)]
        if classes:
            yield [
                (
                    np.array([p[c] if len(p) > 1 else s[0] for _, p, s in counted]),
                    np.array([x == c for x, _, _ in counted]),
                )
                for c in classes
            ]


def tversky(labels, logits, alpha=0.3, beta=0.7, smooth=1.0):
    losses = []
    for classes in images(labels, logits):
        scores = []
        for p, true in classes:
            tp, fp, fn = p[true].sum(), p[~true].sum(), (1 - p[true]).sum()
            scores.append((tp + smooth) / (tp + alpha * fp + beta * fn + smooth))
        losses.append(1 - np.mean(scores))
    return np.mean(losses)


def dice(labels, logits, smooth=1.0):
    losses = []
    for classes in images(labels, logits):
        losses.append(np.mean([1 - (2 * p[t].sum() + smooth) / (p.sum() + t.sum() + smooth) for p, t in classes]))
    return np.mean(losses)


def jaccard(labels, logits, smooth=1.0):
    losses = []
    for classes in images(labels, logits):
        union = [p.sum() + t.sum() - p[t].sum() for p, t in classes]
        both = [p[t].sum() for p, t in classes]
        losses.append(np.mean([1 - (b + smooth) / (u + smooth) for b, u in zip(both, union, strict=True)]))
    return np.mean(losses)


def lovasz(labels, logits):
    """The extension's definition: errors from the largest, each times what its pixel adds to the Jaccard loss."""
    losses = []
    for classes in images(labels, logits):
        of_classes = []
        for p, true in classes:
            errors = np.abs(true - p)
            loss, wrong, before = 0.0, np.zeros(len(p), bool), 0.0
            for i in np.argsort(-errors, kind="stable"):
                wrong[i] = True
                prediction = true ^ wrong
                after = 1 - (prediction & true).sum() / (prediction | true).sum()
                loss, before = loss + errors[i] * (after - before), after
            of_classes.append(loss)
        losses.append(np.mean(of_classes))
    return np.mean(losses)


def boundary(labels, logits, thickness=3, tolerance=5):
    losses = []
    for image, z in zip(labels, logits, strict=True):
        counted = image != IGNORED
        channels = range(z.shape[-1]) if z.shape[-1] > 1 else [1]
        p = np.apply_along_axis(softmax, -1, z) if z.shape[-1] > 1 else np.repeat(1 / (1 + np.exp(-z)), 2, -1)
        of_classes = []
        for c in channels:
            true, predicted = (outline(m, counted, thickness) for m in ((image == c).astype(float), p[..., c]))
            if true.sum():
                precision = (predicted * spread(true, tolerance)).sum() / (predicted.sum() + 1e-7)
                recall = (true * spread(predicted, tolerance)).sum() / (true.sum() + 1e-7)
                of_classes.append(1 - 2 * precision * recall / (precision + recall + 1e-7))
        if of_classes:
            losses.append(np.mean(of_classes))
    return np.mean(losses)


def outline(mask, counted, thickness):
    """How far a pixel is from being as much outside as its most outside counted neighbour."""
    rim = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(counted), strict=True):
        near = window(y, x, thickness)
        rim[y, x] = (1 - mask[near])[counted[near]].max() - (1 - mask[y, x])
    return rim


def spread(plane, size):
    return np.array([[plane[window(y, x, size)].max() for x in range(plane.shape[1])] for y in range(plane.shape[0])])


def window(y, x, size):
    half = size // 2
    return slice(max(0, y - half), y + half + 1), slice(max(0, x - half), x + half + 1)


REFERENCES = {
    f.__name__: f
    for f in (
        binary_cross_entropy,
        binary_focal,
        boundary,
        cross_entropy,
        dice,
        focal,
        jaccard,
        lovasz,
        ohem_cross_entropy,
        tversky,
    )
}
# Every loss with its defaults, and some with options.
SETTINGS = [
    *({"name": name} for name in LOSSES),
    {"name": "cross_entropy", "class_weights": [0.5, 2.0, 0.0, 1.25]},
    {"name": "cross_entropy", "label_smoothing": 0.1},
    {"name": "cross_entropy", "class_weights": [0.5, 2.0, 0.1, 1.25], "label_smoothing": 0.1},
    {"name": "focal", "gamma": 0.5, "alpha": [0.25, 1.0, 0.5, 2.0]},
    {"name": "binary_focal", "gamma": 1.5, "alpha": 0.25},
    {"name": "ohem_cross_entropy", "threshold": 0.3, "min_kept": 7},
    {"name": "ohem_cross_entropy", "threshold": 0.01, "min_kept": 20, "class_weights": [0.5, 2.0, 0.1, 1.25]},
    {"name": "dice", "smooth": 5.0},
    {"name": "tversky", "alpha": 1.0, "beta": 0.2, "smooth": 0.1},
    {"name": "boundary", "thickness": 5, "tolerance": 3},
]
ONE_CHANNEL = [
    s for s in SETTINGS if s["name"] in ("binary_cross_entropy", "binary_focal", "dice", "lovasz", "boundary")
]

every_setting = pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))


def options(settings):
    return create(LOSSES, "loss", settings["name"], {k: v for k, v in settings.items() if k != "name"})


def value_and_gradient(settings, labels, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = total_loss([options(settings)], tf.constant(labels), logits, IGNORED)
    return float(loss), tape.gradient(loss, logits).numpy()


@pytest.fixture
def batch():
    """Labels [3, 7, 6] in blobs, class 2 missing from one image, a quarter ignored; logits as trained networks give."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (3, 4, 3)).repeat(2, 1).repeat(2, 2)[:, :7].astype(np.uint8)
    labels[0][labels[0] == 2] = 3
    labels[rng.random(labels.shape) < 1 / 4] = IGNORED
    return labels, rng.normal(0, 3, (*labels.shape, 4)).astype(np.float32)


def test_every_loss_has_a_reference():
    assert REFERENCES.keys() == LOSSES.keys()


def test_documented_losses_and_options_exist():
    text = (Path(__file__).parents[4] / "docs/networks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*) \| (.*) \|$", text.partition("| loss | options |")[2], re.MULTILINE)
    assert len(rows) >= 5
    for losses, options in rows:
        for name in re.findall("`(.*?)`", losses):
            assert set(re.findall(r"`(\w+)`", options)) <= LOSSES[name].model_fields.keys(), name


@every_setting
def test_value_is_that_of_the_reference(settings, batch):
    labels, logits = batch
    name, *_ = settings.values()
    expected = REFERENCES[name](labels, logits.astype(np.float64), **{k: v for k, v in settings.items() if k != "name"})
    assert value_and_gradient(settings, *batch)[0] == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("settings", ONE_CHANNEL, ids=lambda s: "-".join(map(str, s.values())))
def test_one_channel_is_foreground_against_background(settings, batch):
    labels, logits = batch
    labels, logits = np.where(labels == IGNORED, IGNORED, labels % 2).astype(np.uint8), logits[..., :1]
    name, *_ = settings.values()
    expected = REFERENCES[name](labels, logits.astype(np.float64), **{k: v for k, v in settings.items() if k != "name"})
    assert value_and_gradient(settings, labels, logits)[0] == pytest.approx(expected, rel=2e-6)


@every_setting
def test_only_ignored_pixels_have_no_influence(settings, batch):
    labels, logits = batch
    ignored = labels == IGNORED
    elsewhere = logits.copy()
    elsewhere[ignored] = np.random.default_rng(1).normal(0, 50, (ignored.sum(), 4))
    loss, gradient = value_and_gradient(settings, labels, logits)
    other_loss, other_gradient = value_and_gradient(settings, labels, elsewhere)
    assert other_loss == loss
    np.testing.assert_array_equal(other_gradient, gradient)
    assert (gradient[ignored] == 0).all()
    if settings["name"] not in ("ohem_cross_entropy", "boundary") and 0.0 not in settings.get("class_weights", []):
        assert (gradient[~ignored] != 0).any(axis=-1).all()


@every_setting
def test_ignored_image_adds_nothing(settings, batch):
    labels, logits = batch
    without = value_and_gradient(settings, labels[:2], logits[:2])
    labels[2] = IGNORED
    loss, gradient = value_and_gradient(settings, labels, logits)
    assert loss == pytest.approx(without[0], rel=1e-6)
    np.testing.assert_allclose(gradient[:2], without[1], rtol=1e-5, atol=1e-9)
    assert (gradient[2] == 0).all()


@every_setting
def test_ignored_batch_has_loss_0_and_gradients_0(settings, batch):
    labels, logits = batch
    loss, gradient = value_and_gradient(settings, np.full_like(labels, IGNORED), logits)
    assert loss == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(logits))


@every_setting
def test_half_precision_logits_give_float32_losses_and_finite_gradients(settings, batch):
    labels, logits = batch
    half = (logits * 4).astype(np.float16)
    loss, gradient = value_and_gradient(settings, labels, half)
    assert loss == pytest.approx(value_and_gradient(settings, labels, half.astype(np.float32))[0], rel=1e-6)
    assert gradient.dtype == np.float16
    assert np.isfinite(gradient).all()
    assert gradient.any()


@every_setting
def test_extreme_logits_give_finite_losses_and_gradients(settings, batch):
    labels, _ = batch
    right = np.where(labels == IGNORED, 0, labels)
    for scale in (1e4, -1e4):  # all right, then all wrong
        loss, gradient = value_and_gradient(settings, labels, np.float32(scale) * np.eye(4, dtype=np.float32)[right])
        assert math.isfinite(loss)
        assert np.isfinite(gradient).all()


@every_setting
def test_gradient_points_downhill(settings, batch):
    labels, logits = batch
    loss, gradient = value_and_gradient(settings, labels, logits)
    assert value_and_gradient(settings, labels, logits - 0.1 * gradient / np.abs(gradient).max())[0] < loss


@every_setting
def test_value_is_the_same_in_a_graph(settings, batch):
    labels, logits = (tf.constant(x) for x in batch)
    compiled = tf.function(lambda a, b: total_loss([options(settings)], a, b, IGNORED))
    assert float(compiled(labels, logits)) == pytest.approx(value_and_gradient(settings, *batch)[0], rel=1e-6)


@pytest.mark.parametrize("settings", [s for s in SETTINGS if s["name"] != "ohem_cross_entropy"], ids=str)
def test_sums_and_counts_of_parts_give_the_loss_of_the_batch(settings, batch):
    """Devices that share a batch divide by the count of all of them."""
    labels, logits = batch
    parts = [loss_terms(options(settings), labels[part], logits[part]) for part in (slice(2), slice(2, 3))]
    total, count = (float(a + b) for a, b in zip(*parts, strict=True))
    assert total / count == pytest.approx(value_and_gradient(settings, labels, logits)[0], rel=1e-6)


def test_total_is_the_weighted_sum(batch):
    both = [options({"name": "cross_entropy", "weight": 0.75}), options({"name": "dice", "weight": 0.25})]
    one, two = (value_and_gradient({"name": name}, *batch)[0] for name in ("cross_entropy", "dice"))
    assert float(total_loss(both, *batch)) == pytest.approx(0.75 * one + 0.25 * two)


@pytest.mark.parametrize(("height", "width"), [(4, 3), (14, 12), (7, 7)])
def test_labels_of_another_size_are_a_value_error(batch, height, width):
    labels = np.zeros((3, height, width), np.uint8)
    with pytest.raises(ValueError, match=rf"labels are {height}x{width}, logits 7x6 .*upsample the logits"):
        total_loss([options({"name": "dice"})], labels, batch[1])


def test_one_hot_labels_are_a_value_error(batch):
    with pytest.raises(ValueError, match=r"expected \[N, H, W\] and \[N, H, W, C\]"):
        total_loss([options({"name": "dice"})], batch[1], batch[1])


@pytest.mark.parametrize(("name", "option"), [("cross_entropy", "class_weights"), ("focal", "alpha")])
def test_weights_for_a_different_number_of_classes_are_a_value_error(batch, name, option):
    with pytest.raises(ValueError, match=f"{option} has 3 values for 4 classes: give one per class, in id order"):
        total_loss([options({"name": name, option: [1, 1, 1]})], *batch)
