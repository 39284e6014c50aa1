"""The epochs of a training: steps, validation, what is kept and logged, and interruptions."""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from trainer.datasets.dataset import Dataset
from trainer.input.pipeline import reraise_user_errors
from trainer.metrics.overlap import iou, mean_iou
from trainer.progress import progress
from trainer.recipe import Recipe
from trainer.runs import RunFolder, save_network
from trainer.training.checkpoint import State, save_state
from trainer.training.distribution import Distribution
from trainer.training.logbook import EpochMetrics, Logbook
from trainer.training.network import Network
from trainer.training.step import Batch, TrainStep
from trainer.training.stopping import (
    DivergedError,
    EarlyStopping,
    Interruption,
    StoppedError,
    as_user_errors,
    resume_hint,
)
from trainer.training.validator import ValidationResult, Validator

# Each time a loss is fetched the device runs out of work for a moment, hence not at every step.
_STEPS_BETWEEN_LOGS = 20


@dataclass
class TrainingProgress:
    """How far a training is; a checkpoint keeps it with the variables.

    Attributes:
        step: how many steps have been taken.
        epochs: how many are over, validation included.
        loss: the sum over the current epoch's steps.
        step_seconds: the time that they took.
        seconds: the whole training's time, without the time it was stopped.
        miou: of the last validation.
        best_miou: of the best validation, after ``best_epoch``.
        best_loss: the least validation loss.
        early_stopping: the state of :class:`EarlyStopping`.
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
    """Takes a training from ``done`` to its end."""

    def __init__(
        self,
        recipe: Recipe,
        run: RunFolder,
        dataset: Dataset,
        steps_per_epoch: int,
        network: Network,
        step: TrainStep,
        validator: Validator,
        distribution: Distribution,
        done: TrainingProgress,
        state_seconds: float,
    ) -> None:
        self.done = done
        self._recipe, self._run, self._steps = recipe, run, steps_per_epoch
        self._network, self._step, self._validator = network, step, validator
        self._distribution, self._state_seconds = distribution, state_seconds
        self._early_stopping = EarlyStopping(recipe.early_stopping)
        if done.early_stopping:
            self._early_stopping.restore(done.early_stopping)
        self._interruption = Interruption()
        self._logbook = Logbook(run, recipe, dataset.classes, steps_per_epoch)

    def run(self, batches: Iterator[Batch]) -> None:
        """Train to the end.

        Raises:
            StoppedError: a signal ended it.
            UserError: the loss became NaN or infinite, the disk is full, or the data set is gone.
        """
        done, total = self.done, self._steps * self._recipe.epochs
        with (
            self._logbook if self._distribution.is_chief else contextlib.nullcontext(),
            progress(None, "training", "step", total, done=done.step) as self._bar,
            self._interruption,
            # Innermost, since saving the last state also writes to the logbook and the bar.
            as_user_errors(self._run, self._recipe, self._distribution, self._save),
        ):
            if self._distribution.is_chief and done.step:
                self._logbook.rewind(done.step, done.epochs)
            self._resumed_at = self._saved_at = time.monotonic()
            self._seconds_before = done.seconds
            while not done.is_over(self._recipe):
                self._train(batches, (done.epochs + 1) * self._steps)
                self._end_epoch(done.epochs + 1)

    def _train(self, batches: Iterator[Batch], last: int) -> None:
        done, alone = self.done, self._distribution.is_alone
        before, started = done.step_seconds, time.monotonic()
        while done.step < last:
            with reraise_user_errors():
                self._step(batches)
            done.step += 1
            self._bar.update()
            log_due = done.step % _STEPS_BETWEEN_LOGS == 0 or done.step == last
            if log_due:
                self._log_loss()
            done.step_seconds = before + time.monotonic() - started
            if time.monotonic() - self._saved_at >= self._state_seconds:
                self._save()
            # A worker that stopped alone would block the others in the next step: they stop together.
            if alone or log_due:
                self._stop_if_interrupted()

    def _end_epoch(self, epoch: int) -> None:
        done, recipe = self.done, self._recipe
        validated = None
        if epoch % recipe.validate_every == 0 or epoch == recipe.epochs:
            self._bar.set_description("validating")
            self._network.refresh()
            with reraise_user_errors():
                validated = self._validator(lambda: bool(self._interruption))
            self._stop_if_interrupted()
            if validated and not math.isfinite(validated.loss):  # before such weights replace those that are kept
                raise self._diverged(f"the validation loss became {validated.loss}")
            self._bar.set_description("training")
        metrics = self._metrics(epoch, validated)
        if self._early_stopping.update(metrics) and recipe.early_stopping:
            done.ended_by = recipe.early_stopping.model_dump()
        if validated:
            self._keep(epoch, validated)
        if self._distribution.is_chief:
            if validated and validated.samples:
                self._logbook.images(done.step, *validated.samples)
            self._logbook.epoch(metrics)
        done.epochs, done.loss, done.step_seconds = epoch, 0.0, 0.0
        done.early_stopping = self._early_stopping.state()
        self._save()

    def _metrics(self, epoch: int, validated: ValidationResult | None) -> EpochMetrics:
        done = self.done
        images = self._steps * self._recipe.data.batch_size * self._recipe.accumulate
        return EpochMetrics(
            epoch=epoch,
            loss=done.loss / self._steps,
            validation_loss=validated.loss if validated else None,
            validation_miou=mean_iou(validated.confusion) if validated else None,
            per_class_iou=iou(validated.confusion).tolist() if validated else None,
            seconds=self._seconds(),
            images_per_second=images / max(done.step_seconds, 1e-9),
        )

    def _keep(self, epoch: int, validated: ValidationResult) -> None:
        """Save the networks, and record the best one's mIoU in run.json."""
        done = self.done
        done.miou = mean_iou(validated.confusion)
        paths = [self._run.last]
        if done.best_miou is None or done.miou > done.best_miou:
            done.best_miou, done.best_epoch = done.miou, epoch
            paths.append(self._run.best)
        if done.best_loss is None or validated.loss < done.best_loss:
            done.best_loss = validated.loss
            paths.append(self._run.best_loss)
        if self._distribution.is_chief:
            for path in paths:
                save_network(self._network.kept, path)
            results = {
                "epochs": epoch,
                "seconds": round(self._seconds(), 1),
                "best_epoch": done.best_epoch,
                "validation_miou": done.best_miou,
            }
            self._run.save_facts({**self._run.load_facts(), **results})

    def _log_loss(self) -> None:
        """Fetch the loss of the last steps, and log it."""
        done = self.done
        loss, steps = self._step.take_loss()
        if not steps:
            return
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")
        done.loss += loss
        rate = self._step.learning_rate()
        if self._distribution.is_chief:
            self._logbook.step(done.step, loss / steps, rate)
        shown = {"epoch": f"{done.epochs + 1}/{self._recipe.epochs}", "loss": f"{loss / steps:.3f}"}
        if done.miou is not None:
            shown["mIoU"] = f"{done.miou:.3f}"
        self._bar.set_postfix({**shown, "lr": f"{rate:.2g}"}, refresh=False)

    def _save(self) -> None:
        self._log_loss()
        self._saved_at = time.monotonic()
        self.done.seconds = self._seconds()
        if self._distribution.is_chief:
            values = [variable.numpy() for variable in self._step.variables()]
            if not all(np.isfinite(value).all() for value in values):
                raise self._diverged("a weight became NaN or infinite")
            save_state(self._run, State(self.done.step, values, asdict(self.done)))

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._resumed_at

    def _stop_if_interrupted(self) -> None:
        if self._distribution.any(bool(self._interruption)):
            self._save()
            received = self._interruption.signal or signal.SIGTERM  # another worker's is not known here
            where = f"at step {self.done.step} of {self._steps * self._recipe.epochs}"
            raise StoppedError(f"stopped by {received.name} {where}. {resume_hint(self._run)}", received)

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} by step {self.done.step} (epoch {self.done.epochs + 1}): set a lower "
            "optimizer.learning_rate, or optimizer.clip_norm"
        )
