"""The epochs of a training: steps, validation, what is kept and told of it, and how it ends before its time."""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainer.datasets.dataset import Dataset
from trainer.input.pipeline import reraise_user_errors
from trainer.progress import progress
from trainer.recipe import Recipe
from trainer.runs import BEST, BEST_LOSS, LAST, load_run_facts, save_network, save_run_facts
from trainer.training.checkpoint import State, save_state
from trainer.training.distribution import Distribution
from trainer.training.early_stopping import EarlyStopping
from trainer.training.endings import DivergedError, StoppedError, ends_with_a_sentence, going_on
from trainer.training.interruption import Interruption
from trainer.training.logbook import EpochFigures, Logbook
from trainer.training.network import Network
from trainer.training.step import Batch, TrainStep
from trainer.training.validation import Validated, Validation

# Losses are fetched so seldom, as each time the device runs out of work for a moment.
_STEPS_BETWEEN_FIGURES = 20


@dataclass
class Standing:
    """How far a training is; a checkpoint keeps it beside the variables.

    Attributes:
        step: how many steps have been taken.
        epochs: how many are over, validation included.
        loss: the sum over the current epoch's steps.
        step_seconds: what they took.
        seconds: what everything took, without the time the training lay stopped.
        miou: of the last validation.
        best_miou: the best one's, which was after ``best_epoch``.
        best_loss: the least validation loss.
        early_stopping: what :class:`EarlyStopping` remembers.
        ended_by: the options of early stopping that have ended the training.
    """

    step: int = 0
    epochs: int = 0
    loss: float = 0.0
    step_seconds: float = 0.0
    seconds: float = 0.0
    miou: float | None = None
    best_miou: float | None = None
    best_epoch: int | None = None
    best_loss: float | None = None
    early_stopping: dict[str, Any] = field(default_factory=dict)
    ended_by: dict[str, Any] | None = None

    def is_over(self, recipe: Recipe) -> bool:
        """Whether there is nothing left to train."""
        options = recipe.early_stopping
        return self.epochs >= recipe.epochs or (options is not None and self.ended_by == options.model_dump())


class Epochs:
    """Goes from ``standing`` to the end of a training."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        dataset: Dataset,
        steps_per_epoch: int,
        network: Network,
        step: TrainStep,
        validation: Validation,
        distribution: Distribution,
        standing: Standing,
        state_seconds: float,
    ) -> None:
        self.standing = standing
        self._recipe, self._folder, self._steps = recipe, folder, steps_per_epoch
        self._network, self._step, self._validation = network, step, validation
        self._distribution, self._state_seconds = distribution, state_seconds
        self._early_stopping = EarlyStopping(recipe.early_stopping)
        if standing.early_stopping:
            self._early_stopping.restore(standing.early_stopping)
        self._interruption = Interruption()
        self._logbook = Logbook(folder, recipe, dataset.classes, steps_per_epoch)

    def run(self, batches: Iterator[Batch]) -> None:
        """Train to the end.

        Raises:
            StoppedError: a signal asked for it.
            UserError: the loss is no number any more, or the disk is full, or the data set is gone.
        """
        standing, total = self.standing, self._steps * self._recipe.epochs
        with (
            self._logbook if self._distribution.is_chief else contextlib.nullcontext(),
            progress(None, "training", "step", total, done=standing.step) as self._bar,
            self._interruption,
            # Innermost, as the last state is told to the logbook and the bar too.
            ends_with_a_sentence(self._folder, self._recipe, self._distribution, self._save),
        ):
            if self._distribution.is_chief and standing.step:
                self._logbook.rewind(standing.step, standing.epochs)
            self._resumed_at = self._saved_at = time.monotonic()
            self._seconds_before = standing.seconds
            while not standing.is_over(self._recipe):
                self._train(batches, (standing.epochs + 1) * self._steps)
                self._end_epoch(standing.epochs + 1)

    def _train(self, batches: Iterator[Batch], last: int) -> None:
        standing, alone = self.standing, self._distribution.is_alone
        before, started = standing.step_seconds, time.monotonic()
        while standing.step < last:
            with reraise_user_errors():
                self._step(batches)
            standing.step += 1
            self._bar.update()
            figures_due = standing.step % _STEPS_BETWEEN_FIGURES == 0 or standing.step == last
            if figures_due:
                self._take_figures()
            standing.step_seconds = before + time.monotonic() - started
            if time.monotonic() - self._saved_at >= self._state_seconds:
                self._save()
            # Other workers wait in the next step for the one that has left: they leave together.
            if alone or figures_due:
                self._heed_interruption()

    def _end_epoch(self, epoch: int) -> None:
        standing, recipe = self.standing, self._recipe
        validated = None
        if epoch % recipe.validate_every == 0 or epoch == recipe.epochs:
            self._bar.set_description("validating")
            self._network.refresh()
            with reraise_user_errors():
                validated = self._validation(lambda: bool(self._interruption))
            self._heed_interruption()
            if validated and not math.isfinite(validated.loss):  # before such weights replace those that are kept
                raise self._diverged(f"the validation loss became {validated.loss}")
            self._bar.set_description("training")
        figures = self._figures(epoch, validated)
        if self._early_stopping.update(figures) and recipe.early_stopping:
            standing.ended_by = recipe.early_stopping.model_dump()
        if validated:
            self._keep(epoch, validated)
        if self._distribution.is_chief:
            if validated and validated.pictures:
                self._logbook.pictures(standing.step, *validated.pictures)
            self._logbook.epoch(figures)
        standing.epochs, standing.loss, standing.step_seconds = epoch, 0.0, 0.0
        standing.early_stopping = self._early_stopping.state()
        self._save()

    def _figures(self, epoch: int, validated: Validated | None) -> EpochFigures:
        standing = self.standing
        images = self._steps * self._recipe.data.batch_size * self._recipe.accumulate
        return EpochFigures(
            epoch=epoch,
            loss=standing.loss / self._steps,
            validation_loss=validated.loss if validated else None,
            validation_miou=validated.confusion.miou() if validated else None,
            per_class_iou=validated.confusion.iou().tolist() if validated else None,
            seconds=self._seconds(),
            images_per_second=images / max(standing.step_seconds, 1e-9),
        )

    def _keep(self, epoch: int, validated: Validated) -> None:
        """Save the networks and say in run.json what the best one is worth."""
        standing, standing.miou = self.standing, validated.confusion.miou()
        names = [LAST]
        if standing.best_miou is None or standing.miou > standing.best_miou:
            standing.best_miou, standing.best_epoch = standing.miou, epoch
            names.append(BEST)
        if standing.best_loss is None or validated.loss < standing.best_loss:
            standing.best_loss = validated.loss
            names.append(BEST_LOSS)
        if self._distribution.is_chief:
            for name in names:
                save_network(self._network.kept, self._folder / name)
            results = {
                "epochs": epoch,
                "seconds": round(self._seconds(), 1),
                "best_epoch": standing.best_epoch,
                "validation_miou": standing.best_miou,
            }
            save_run_facts(self._folder, {**load_run_facts(self._folder), **results})

    def _take_figures(self) -> None:
        """Fetch the loss of the last steps."""
        standing = self.standing
        loss, steps = self._step.take_loss()
        if not steps:
            return
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")
        standing.loss += loss
        rate = self._step.learning_rate()
        if self._distribution.is_chief:
            self._logbook.step(standing.step, loss / steps, rate)
        shown = {"epoch": f"{standing.epochs + 1}/{self._recipe.epochs}", "loss": f"{loss / steps:.3f}"}
        if standing.miou is not None:
            shown["mIoU"] = f"{standing.miou:.3f}"
        self._bar.set_postfix({**shown, "lr": f"{rate:.2g}"}, refresh=False)

    def _save(self) -> None:
        self._take_figures()
        self._saved_at = time.monotonic()
        self.standing.seconds = self._seconds()
        if self._distribution.is_chief:
            values = [variable.numpy() for variable in self._step.variables()]
            if not all(np.isfinite(value).all() for value in values):
                raise self._diverged("a weight became infinite or no number")
            save_state(self._folder, State(self.standing.step, values, asdict(self.standing)))

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._resumed_at

    def _heed_interruption(self) -> None:
        if self._distribution.any(bool(self._interruption)):
            self._save()
            asked = self._interruption.signal or signal.SIGTERM  # another worker's is not known here
            where = f"at step {self.standing.step} of {self._steps * self._recipe.epochs}"
            raise StoppedError(f"stopped by {asked.name} {where}. {going_on(self._folder)}", asked)

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} by step {self.standing.step} (epoch {self.standing.epochs + 1}): set a lower "
            "optimizer.learning_rate, or optimizer.clip_norm"
        )
