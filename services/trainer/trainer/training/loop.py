"""The training loop."""

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tqdm import tqdm

from contract import IGNORE_ID
from trainer.confusion import ConfusionMatrix
from trainer.data.dataset import load_dataset
from trainer.data.pipeline import evaluation_batches, training_batches
from trainer.errors import UserError
from trainer.losses import cross_entropy
from trainer.models import create_model
from trainer.preprocessing import normalize, upsample
from trainer.recipe import Recipe, save_recipe
from trainer.training.optimizers import create_optimizer
from trainer.training.run import save_run_facts, weights_path


def train(recipe: Recipe, folder: Path) -> float:
    """Train as ``recipe`` says into the new run folder ``folder``; return the best validation mIoU.

    Raises:
        UserError: the folder is taken, the data set cannot be used, or the loss became NaN.
    """
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder with --run, or remove it first")
    keras.utils.set_random_seed(recipe.seed)
    dataset = load_dataset(recipe.data.path)
    train_items, validation_items = (dataset.split(name) for name in ("train", "validation"))
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

    folder.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, folder / "recipe.yaml")
    batches = iter(training_batches(dataset, train_items, recipe.data, recipe.seed))
    validation = evaluation_batches(dataset, validation_items, recipe.data)
    best, started = -1.0, time.monotonic()
    with (
        (folder / "metrics.csv").open("w", newline="") as file,
        tqdm(total=steps * recipe.epochs, desc="training", unit="step") as progress,
    ):
        log = csv.writer(file)
        log.writerow(["epoch", "loss", "validation_miou", "seconds"])
        for epoch in range(1, recipe.epochs + 1):
            loss = keras.metrics.Mean()
            for _ in range(steps):
                loss.update_state(train_step(*next(batches)))
                progress.update()
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
            progress.set_postfix(epoch=f"{epoch}/{recipe.epochs}", loss=f"{mean_loss:.3f}", val_mIoU=f"{miou:.3f}")
            if miou > best:
                best = miou
                model.save(weights_path(folder))
                facts = {"best_epoch": epoch, "validation_miou": miou, "train_images": len(train_items)}
                versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
                save_run_facts(folder, dataset.classes, {**facts, "versions": versions})
    return best


def _build(recipe: Recipe, classes: int) -> keras.Model:
    try:
        return create_model(
            recipe.network,
            recipe.data.input_height,
            recipe.data.input_width,
            classes,
            auxiliary=recipe.auxiliary_weight > 0,
        )
    except ValueError as error:
        raise UserError(str(error)) from None


def _train_step(model: keras.Model, optimizer: keras.optimizers.Optimizer, recipe: Recipe) -> Callable[..., tf.Tensor]:
    weights = {"logits": 1.0, "auxiliary": recipe.auxiliary_weight}
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(normalize(images), training=True)
            loss = sum(
                weights[name] * cross_entropy(labels, upsample(logits, *labels.shape[1:]), IGNORE_ID)
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
