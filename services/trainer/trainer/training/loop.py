"""Training: from a recipe to a run folder, and from where a run stopped to its end.

One training from top to bottom (:func:`train`):

1. The folder must be new, or with ``resume`` that of a run; the seeds are set.
2. The data set is loaded (``datasets``), its splits and the batch size are checked, and one pixel goes through the
   losses, so that an option that does not fit the classes is reported now.
3. :mod:`~trainer.training.network` builds the recipe's network with its first weights: the model that steps change,
   and the one that is validated and kept.
4. The data set is validated (every file is read), and class weights are computed from its pixels.
5. :mod:`~trainer.training.optimizers` and :mod:`~trainer.training.step` make the step: ``accumulate`` micro-batches
   forward and back on every device, clipping, one update, the moving average.
6. With ``resume``, :mod:`~trainer.training.checkpoint` restores the newest state: weights, average, optimiser, random
   generators, progress.
7. ``input`` gives an endless stream of augmented batches, which begins at the step that comes next.
8. The run folder gets its recipe, README and run.json, and :class:`~trainer.training.epochs.Epochs` takes over: step
   after step, a log every 20, a state every ten minutes; after each epoch a validation, which saves better networks
   and may stop early, and another state.
9. A signal or an error ends it with the state saved and the command that resumes it
   (:mod:`~trainer.training.stopping`); a run without weights or state is removed.

Why this is not ``keras.Model.fit`` with callbacks (Keras 3.15):

- A training resumes at the step after its last state, with the batch that comes next, and ends with the weights of one
  that never stopped. ``BackupAndRestore`` restores weights and epoch: it saves the batch's number but does not use it,
  so the epoch starts again with weights that have already seen part of it.
- A batch gives the same step however it is divided among devices: losses are divided by the valid pixels of all
  devices together, and the norm that clips is the summed gradient's. ``fit`` averages each replica's own mean, and
  ``global_clipnorm`` clips each replica's gradient.
- Log, schedule and state count steps of ``accumulate`` micro-batches. Keras has ``gradient_accumulation_steps``, but
  its callbacks count micro-batches.
- The network that is validated and saved is float32 and on one device however it was trained, and with ``average`` the
  moving average, batch statistics included. ``use_ema`` averages trainable weights alone.
- Validation counts every image once in one confusion matrix, on any number of devices.
- All workers stop at the same step on a signal to any of them, with the state saved.

Losses are fetched every 20 steps; in between, only saving a state waits for the device.
"""

import contextlib
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import tensorflow as tf

from trainer.datasets.class_weights import enet
from trainer.datasets.dataset import Dataset, load_dataset
from trainer.datasets.validation import require_valid
from trainer.datasets.validation_report import ValidationReport
from trainer.errors import UserError, require_empty
from trainer.input.pipeline import training_batches
from trainer.losses.loss import Loss
from trainer.losses.total import total_loss
from trainer.recipe import RECIPES, Recipe
from trainer.runs import RunFolder
from trainer.training.checkpoint import restore
from trainer.training.distribution import Distribution
from trainer.training.epochs import Epochs, TrainingProgress
from trainer.training.network import create_network
from trainer.training.optimizers import create_optimizer
from trainer.training.provenance import invocation, provenance
from trainer.training.resume import recall_best, require_same_data
from trainer.training.step import TrainStep
from trainer.training.validator import Validator

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
    """Train a recipe; return the best validation mIoU.

    Args:
        recipe: what to train on what, and how.
        folder: the run folder; of several workers the chief alone writes it.
        distribution: where to train; by default on one device.
        resume: continue the training in ``folder`` from its last saved state; otherwise the folder must be new.
        changes: the values that ``recipe`` has changed since then, in words.
        state_seconds: how often the state is saved; it also is at the end of each epoch.

    Raises:
        UserError: the folder is not empty or has no state, the data set is not valid, or the training cannot continue.
        StoppedError: a signal ended it; the state is saved.
    """
    run = RunFolder(folder)
    distribution = distribution or Distribution()
    if distribution.is_chief and not resume:
        _require_empty(run)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(recipe.seed)
    dataset = load_dataset(recipe.data.path)
    # The last split is not used here, but a training whose network cannot be measured should not start.
    train_items, validation_items, _ = (dataset.split(name) for name in ("train", "validation", dataset.splits[-1]))
    images = recipe.data.batch_size * recipe.accumulate
    if len(train_items) < images:
        raise UserError(
            f"{len(train_items)} training images do not fill one batch of {images}: label more, or set data.batch_size"
        )
    distribution.check_batch_size(recipe.data.batch_size)
    _check_losses(recipe, len(dataset.classes))
    steps = math.ceil(len(train_items) / images)
    # A state brings its own weights: the file of the first ones may be gone by now.
    without_weights = recipe.model_copy(update={"weights": None, "pretrained": False})
    network = create_network(without_weights if resume else recipe, len(dataset.classes), distribution)
    # Late, since the first validation of a data set reads every file.
    as_written, recipe = recipe, with_class_weights(recipe, require_valid(dataset))
    _check_losses(recipe, len(dataset.classes))
    with distribution.strategy.scope():
        optimizer = create_optimizer(recipe.optimizer, steps * recipe.epochs)
    step = TrainStep(recipe, network, optimizer, distribution)
    validator = Validator(recipe, network, dataset, validation_items, distribution)

    done = TrainingProgress()
    if resume:
        if distribution.is_chief:
            require_same_data(run, dataset)
        done = TrainingProgress(**restore(run, step.variables(), distribution))
        if distribution.is_chief:
            recall_best(run, done)
        if done.is_over(recipe):
            print(_finished(run, done, recipe), file=sys.stderr)
            return done.best_miou or 0.0
    if distribution.is_chief:
        print(_announcement(recipe, distribution, len(train_items), steps), file=sys.stderr)
        if resume:
            where = f"resumed after step {done.step} of {steps * recipe.epochs}"
            changed = "".join(f"; {change}" for change in changes)
            print(f"{where}, with a learning rate of {step.learning_rate():.3g}{changed}", file=sys.stderr)

    epochs = Epochs(recipe, run, dataset, steps, network, step, validator, distribution, done, state_seconds)
    start = done.step * recipe.accumulate
    batches = training_batches(dataset, train_items, recipe.data, recipe.seed, start, distribution.shard)
    rows = distribution.shard.rows(recipe.data.batch_size)
    with remove_empty_run(run) if distribution.is_chief else contextlib.nullcontext():
        if distribution.is_chief:
            _describe(as_written, run, dataset, resume, changes, done.step)
        epochs.run(iter(distribution.distribute(batches, rows)))
    return done.best_miou or 0.0


def with_class_weights(recipe: Recipe, report: ValidationReport) -> Recipe:
    """``recipe`` with its class weights as numbers, there and in every loss that takes weights and sets none.

    ``auto`` is ENet's formula (arXiv 1606.02147) over the training images' pixels, divided by the mean over those
    pixels, so that a loss keeps its size and the recipe its learning rate. No class weighs more than 36 times
    another; median-frequency weights grow with a class's rarity without bound, until a few pixels outweigh a batch.
    """
    if recipe.class_weights == "none":
        return recipe
    weights = _automatic_weights(report) if recipe.class_weights == "auto" else recipe.class_weights
    losses = tuple(_weighted(loss, weights) for loss in recipe.losses)
    return recipe.model_copy(update={"losses": losses, "class_weights": tuple(weights)})


def _automatic_weights(report: ValidationReport) -> tuple[float, ...]:
    counts = report.labels["train"].counts
    pixels, weights = counts.sum(axis=0), enet(counts)
    mean = (weights * pixels).sum() / pixels.sum()
    return tuple(float(f"{weight:.4g}") for weight in weights / mean)


def _weighted(loss: Loss, weights: Sequence[float]) -> Loss:
    option = loss.class_weight_option
    if option is None or getattr(loss, option) is not None:
        return loss
    return loss.model_copy(update={option: tuple(weights)})


def _require_empty(run: RunFolder) -> None:
    resume = f", resume it with --resume {run}" if run.last_saved_step() is not None else ""
    require_empty(run.path, f"--run{resume}")


def _check_losses(recipe: Recipe, classes: int) -> None:
    """Compute the losses of one pixel: options that do not fit the classes are reported now, not in the first step."""
    try:
        total_loss(recipe.losses, tf.zeros([1, 1, 1], tf.uint8), tf.zeros([1, 1, 1, classes]))
    except ValueError as error:
        raise UserError(str(error)) from None


def _describe(
    recipe: Recipe, run: RunFolder, dataset: Dataset, resume: bool, changes: Sequence[str], step: int
) -> None:
    """Write the run's provenance into its folder."""
    run.path.mkdir(parents=True, exist_ok=True)
    run.save_recipe(recipe)
    run.write_readme(recipe)
    if resume:
        facts = run.load_facts()
        again = {**invocation(), "step": step, "changes": list(changes)}
        facts = {**facts, "resumed": [*facts.get("resumed", []), again]}
    else:
        facts = {"classes": [asdict(c) for c in dataset.classes], **provenance(recipe, dataset)}
    run.save_facts(facts)


def _finished(run: RunFolder, done: TrainingProgress, recipe: Recipe) -> str:
    if done.epochs < recipe.epochs:
        return f"{run} was stopped early after {done.epochs} epochs; --set early_stopping=null trains on"
    return f"{run} is finished after {done.epochs} epochs; --set epochs=… trains on"


def _announcement(recipe: Recipe, distribution: Distribution, images: int, steps: int) -> str:
    """A summary of what is about to be trained and on what, with a warning if it may take hours."""
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
def remove_empty_run(run: RunFolder) -> Iterator[None]:
    """Remove a run that ended before it had any weights or state."""
    try:
        yield
    except BaseException:
        if not run.best.exists() and run.last_saved_step() is None:
            shutil.rmtree(run.path, ignore_errors=True)
        raise
