"""The training loop."""

import contextlib
import csv
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

from trainer.confusion import ConfusionMatrix
from trainer.data.dataset import load_dataset
from trainer.data.pipeline import evaluation_batches, said_plainly, training_batches
from trainer.data.validation import require_valid
from trainer.errors import UserError
from trainer.losses.total import total_loss
from trainer.models import create_model
from trainer.preprocessing import normalize, upsample
from trainer.progress import progress
from trainer.recipe import RECIPES, Recipe, save_recipe
from trainer.training.optimizers import create_optimizer
from trainer.training.run import save_run_facts, save_weights, weights_path
from trainer.weights.load import load_into

# The largest input that two CPU cores train in minutes.
_CPU_PIXELS = 256 * 256


def train(recipe: Recipe, folder: Path) -> float:
    """Train as ``recipe`` says into the new run folder ``folder``; return the best validation mIoU.

    Raises:
        UserError: the folder is taken, validation refuses the data set, or the loss became NaN.
    """
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder with --run, or remove it first")
    keras.utils.set_random_seed(recipe.seed)
    dataset = load_dataset(recipe.data.path)
    # The last split is not looked at here, but a training whose network cannot be measured should not start.
    train_items, validation_items, _ = (dataset.split(name) for name in ("train", "validation", dataset.splits[-1]))
    if len(train_items) < recipe.data.batch_size:
        raise UserError(
            f"{len(train_items)} training images do not fill one batch of {recipe.data.batch_size}: "
            "label more, or set data.batch_size"
        )
    steps = math.ceil(len(train_items) / recipe.data.batch_size)
    model = _build(recipe, len(dataset.classes))
    optimizer = create_optimizer(recipe.optimizer, steps * recipe.epochs)
    train_step = _train_step(model, optimizer, recipe)
    predict = _predict(model, recipe)
    require_valid(dataset)  # last, as it reads every file when it is asked for the first time

    print(_announcement(recipe, len(train_items), steps), file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, folder / "recipe.yaml")
    batches = iter(training_batches(dataset, train_items, recipe.data, recipe.seed))
    validation = evaluation_batches(dataset, validation_items, recipe.data)
    best, started = -1.0, time.monotonic()
    with (
        (folder / "metrics.csv").open("w", newline="") as file,
        progress(None, "training", "step", total=steps * recipe.epochs) as bar,
        _nothing_left_unless_trained(folder),
        said_plainly(),
    ):
        log = csv.writer(file)
        log.writerow(["epoch", "loss", "validation_miou", "seconds"])
        for epoch in range(1, recipe.epochs + 1):
            loss = keras.metrics.Mean()
            for _ in range(steps):
                loss.update_state(train_step(*next(batches)))
                bar.update()
            mean_loss = float(loss.result())
            if not math.isfinite(mean_loss):
                kept = f"The best weights so far are in {folder}" if best >= 0 else "No weights were kept"
                raise UserError(f"the loss became {mean_loss} in epoch {epoch}: lower optimizer.learning_rate. {kept}")
            confusion = ConfusionMatrix(len(dataset.classes))
            for images, labels in validation:
                confusion.add(labels.numpy(), predict(images).numpy())
            miou = confusion.miou()
            log.writerow([epoch, f"{mean_loss:.5f}", f"{miou:.5f}", f"{time.monotonic() - started:.1f}"])
            file.flush()
            bar.set_postfix(epoch=f"{epoch}/{recipe.epochs}", loss=f"{mean_loss:.3f}", val_mIoU=f"{miou:.3f}")
            if miou > best:
                best = miou
                save_weights(model, folder)
                facts = {"best_epoch": epoch, "validation_miou": miou, "train_images": len(train_items)}
                versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
                save_run_facts(folder, dataset.classes, {**facts, "versions": versions})
    return best


def _announcement(recipe: Recipe, images: int, steps: int) -> str:
    """What is about to be trained and on what, so that hours are no surprise."""
    size = recipe.data
    gpus = tf.config.list_physical_devices("GPU")
    where = ", ".join(tf.config.experimental.get_device_details(g).get("device_name", g.name) for g in gpus)
    text = (
        f"training {recipe.network} at {size.input_height}x{size.input_width} on {where or 'the CPU'}: "
        f"{images} images, {steps} steps of {size.batch_size} an epoch, {recipe.epochs} epochs"
    )
    if not gpus and size.input_height * size.input_width > _CPU_PIXELS:
        text += f"\nWithout a GPU this takes hours; {RECIPES / 'demo.yaml'} is a recipe for a CPU, in minutes"
    return text


@contextlib.contextmanager
def _nothing_left_unless_trained(folder: Path) -> Iterator[None]:
    """Remove a run that ended before it had any weights."""
    try:
        yield
    except BaseException:
        if not weights_path(folder).exists():
            shutil.rmtree(folder)
        raise


def _build(recipe: Recipe, classes: int) -> keras.Model:
    try:
        # One pixel finds out now, not in the first step, whether the losses' options fit the classes.
        total_loss(recipe.losses, tf.zeros([1, 1, 1], tf.uint8), tf.zeros([1, 1, 1, classes]))
        model = create_model(
            recipe.network,
            recipe.data.input_height,
            recipe.data.input_width,
            classes,
            auxiliary=recipe.auxiliary_weight > 0,
            pretrained=recipe.pretrained,
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    if recipe.weights:
        print(f"{recipe.weights}: {load_into(model, recipe.weights)}", file=sys.stderr)
    return model


def _train_step(model: keras.Model, optimizer: keras.optimizers.Optimizer, recipe: Recipe) -> Callable[..., tf.Tensor]:
    weights = {"logits": 1.0, "auxiliary": recipe.auxiliary_weight}
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(normalize(images), training=True)
            loss = sum(
                weights[name] * total_loss(recipe.losses, labels, upsample(logits, *labels.shape[1:]))
                for name, logits in outputs.items()
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def _predict(model: keras.Model, recipe: Recipe) -> Callable[..., tf.Tensor]:
    size = recipe.data.input_height, recipe.data.input_width

    @tf.function(reduce_retracing=True)
    def predict(images: tf.Tensor) -> tf.Tensor:
        logits = model(normalize(images), training=False)["logits"]
        return tf.argmax(upsample(logits, *size), axis=-1, output_type=tf.int32)

    return predict
