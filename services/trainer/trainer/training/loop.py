"""Training: from a recipe to a run folder, and from where a run stopped to its end."""

import contextlib
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import tensorflow as tf

from trainer.datasets.dataset import Dataset, load_dataset
from trainer.datasets.inspection import checksum
from trainer.datasets.validation import require_valid
from trainer.errors import UserError
from trainer.input.pipeline import training_batches
from trainer.losses.total import total_loss
from trainer.recipe import RECIPES, Recipe, save_recipe
from trainer.runs import BEST, RECIPE_NAME, load_run_facts, save_run_facts
from trainer.training.checkpoint import last_saved, restore
from trainer.training.class_weights import with_class_weights
from trainer.training.distribution import Distribution
from trainer.training.epochs import Epochs, Standing
from trainer.training.facts import run_facts
from trainer.training.network import create_network
from trainer.training.optimizers import create_optimizer
from trainer.training.readme import write_readme
from trainer.training.step import TrainStep
from trainer.training.validation import Validation

# The largest input that two CPU cores train in minutes.
_CPU_PIXELS = 256 * 256

STATE_SECONDS = 600.0


def train(
    recipe: Recipe,
    folder: Path,
    distribution: Distribution | None = None,
    resume: bool = False,
    changes: Sequence[str] = (),
    state_seconds: float = STATE_SECONDS,
) -> float:
    """Train as ``recipe`` says; return the best validation mIoU.

    Args:
        recipe: what to train on what, and how.
        folder: the run folder; of several workers the chief alone writes it.
        distribution: where to train; one device unless said otherwise.
        resume: ``folder`` is that of a training to go on with from its last saved state; else it must be new.
        changes: what ``recipe`` has changed since then, in words.
        state_seconds: the state is saved so often, and at the end of each epoch.

    Raises:
        UserError: the folder is taken or has no state, validation refuses the data set, or the training cannot go on.
        StoppedError: a signal asked for the end; the state is saved.
    """
    distribution = distribution or Distribution()
    if distribution.is_chief and not resume:
        _require_free(folder)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(recipe.seed)
    dataset = load_dataset(recipe.data.path)
    # The last split is not looked at here, but a training whose network cannot be measured should not start.
    train_items, validation_items, _ = (dataset.split(name) for name in ("train", "validation", dataset.splits[-1]))
    images = recipe.data.batch_size * recipe.accumulate
    if len(train_items) < images:
        raise UserError(
            f"{len(train_items)} training images do not fill one batch of {images}: label more, or set data.batch_size"
        )
    distribution.check_batch_size(recipe.data.batch_size)
    _check_losses(recipe, len(dataset.classes))
    steps = math.ceil(len(train_items) / images)
    # A state brings its own weights: the first ones' file may be gone by now.
    bare = recipe.model_copy(update={"weights": None, "pretrained": False})
    network = create_network(bare if resume else recipe, len(dataset.classes), distribution)
    # Late, as it reads every file when it is asked for the first time.
    asked, recipe = recipe, with_class_weights(recipe, require_valid(dataset))
    _check_losses(recipe, len(dataset.classes))
    with distribution.strategy.scope():
        optimizer = create_optimizer(recipe.optimizer, steps * recipe.epochs)
    step = TrainStep(recipe, network, optimizer, distribution)
    validation = Validation(recipe, network, dataset, validation_items, distribution)

    standing = Standing()
    if resume:
        if distribution.is_chief:
            _require_same_data(folder, dataset)
        standing = Standing(**restore(folder, step.variables(), distribution))
        if distribution.is_chief:
            _recall_best(folder, standing)
        if standing.is_over(recipe):
            print(_finished(folder, standing, recipe), file=sys.stderr)
            return standing.best_miou or 0.0
    if distribution.is_chief:
        print(_announcement(recipe, distribution, len(train_items), steps), file=sys.stderr)
        if resume:
            where = f"going on after step {standing.step} of {steps * recipe.epochs}"
            told = "".join(f"; {change}" for change in changes)
            print(f"{where}, with the learning rate at {step.learning_rate():.3g}{told}", file=sys.stderr)

    epochs = Epochs(recipe, folder, dataset, steps, network, step, validation, distribution, standing, state_seconds)
    start = standing.step * recipe.accumulate
    batches = training_batches(dataset, train_items, recipe.data, recipe.seed, start, distribution.shard)
    rows = distribution.shard.rows(recipe.data.batch_size)
    with _nothing_left_without_weights(folder) if distribution.is_chief else contextlib.nullcontext():
        if distribution.is_chief:
            _describe(asked, folder, dataset, resume, changes, standing.step)
        epochs.run(iter(distribution.parts(batches, rows)))
    return standing.best_miou or 0.0


def _require_free(folder: Path) -> None:
    if folder.is_file() or (folder.exists() and any(folder.iterdir())):
        going_on = f", go on with it by --resume {folder}" if last_saved(folder) is not None else ""
        raise UserError(f"{folder} is not empty: name a new folder with --run{going_on}, or remove it first")


def _require_same_data(folder: Path, dataset: Dataset) -> None:
    known = load_run_facts(folder).get("data", {}).get("sha256")
    if known != checksum(dataset):
        raise UserError(
            f"{dataset.root} is not the data set that {folder} was trained on, or has changed since: bring that one "
            f"back, or start a new run with --set weights={folder}"
        )


def _recall_best(folder: Path, standing: Standing) -> None:
    """Networks and run.json are written before the state: a kill in between left a better one than the state knows."""
    facts = load_run_facts(folder)
    miou = facts.get("validation_miou")
    if miou is not None and (standing.best_miou is None or miou > standing.best_miou):
        standing.best_miou, standing.best_epoch = miou, facts.get("best_epoch")


def _check_losses(recipe: Recipe, classes: int) -> None:
    """One pixel finds out now, not in the first step, whether the losses' options fit the classes."""
    try:
        total_loss(recipe.losses, tf.zeros([1, 1, 1], tf.uint8), tf.zeros([1, 1, 1, classes]))
    except ValueError as error:
        raise UserError(str(error)) from None


def _describe(recipe: Recipe, folder: Path, dataset: Dataset, resume: bool, changes: Sequence[str], step: int) -> None:
    """Write what the run folder says of where it comes from."""
    folder.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, folder / RECIPE_NAME)
    write_readme(folder, recipe)
    facts = {"classes": [asdict(c) for c in dataset.classes], **run_facts(recipe, dataset)}
    if resume:
        before = load_run_facts(folder)
        again = {
            **{key: facts[key] for key in ("started_at", "command", "git_revision", "versions")},
            "step": step,
            "changes": list(changes),
        }
        facts = {**before, "resumed": [*before.get("resumed", []), again]}
    save_run_facts(folder, facts)


def _finished(folder: Path, standing: Standing, recipe: Recipe) -> str:
    if standing.epochs < recipe.epochs:
        return f"{folder} was ended early after {standing.epochs} epochs; --set early_stopping=null trains on"
    return f"{folder} is finished after {standing.epochs} epochs; --set epochs=… trains on"


def _announcement(recipe: Recipe, distribution: Distribution, images: int, steps: int) -> str:
    """What is about to be trained and on what, so that hours are no surprise."""
    size = recipe.data
    batch = f"{recipe.accumulate} x {size.batch_size}" if recipe.accumulate > 1 else f"{size.batch_size}"
    text = (
        f"training {recipe.network} at {size.input_height}x{size.input_width} on {distribution}: "
        f"{images} images, {steps} steps of {batch} an epoch, {recipe.epochs} epochs"
    )
    if not tf.config.get_visible_devices("GPU") and size.input_height * size.input_width > _CPU_PIXELS:
        text += f"\nWithout a GPU this takes hours; {RECIPES / 'demo.yaml'} is a recipe for a CPU, in minutes"
    return text


@contextlib.contextmanager
def _nothing_left_without_weights(folder: Path) -> Iterator[None]:
    """Remove a run that ended before it had any weights or state."""
    try:
        yield
    except BaseException:
        if not (folder / BEST).exists() and last_saved(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
