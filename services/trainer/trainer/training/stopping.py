"""How a training ends before its last epoch: early stopping, signals, and errors that say how to resume."""

import contextlib
import errno
import math
import os
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import FrameType, TracebackType
from typing import Any, Self

import tensorflow as tf

from trainer.errors import UserError
from trainer.recipe import Recipe, StopEarly
from trainer.runs import RunFolder, segstack_command
from trainer.training.distribution import Distribution
from trainer.training.logbook import EpochMetrics


class StoppedError(UserError):
    """A signal has ended the training; its state is saved. The exit status is the one shells have for a signal."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + number


class DivergedError(UserError):
    """The loss or a weight is NaN or infinite: this state is not worth keeping."""


class Interruption:
    """Ctrl-C and ``kill`` let a training save its state first: while entered, the first signal is kept in ``signal``.

    The second SIGINT or SIGTERM has its usual effect. Only the main thread receives signals: elsewhere entering it does
    nothing.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._previous:
            signal.signal(*self._previous.popitem())

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self.__exit__(None, None, None)


@dataclass
class _Counter:
    best: float | None = None
    without: int = 0


class EarlyStopping:
    """Counts validations without an improvement; with ``options=None`` it never ends a training."""

    def __init__(self, options: StopEarly | None) -> None:
        self._options = options
        self._counter = _Counter()

    def update(self, metrics: EpochMetrics) -> bool:
        """Whether to end after this epoch; an epoch without validation changes nothing."""
        if self._options is None:
            return False
        by_miou = self._options.monitor == "miou"
        value = metrics.validation_miou if by_miou else metrics.validation_loss
        if value is None:
            return False
        score = value if by_miou else -value
        if not math.isnan(score) and (self._counter.best is None or score > self._counter.best):
            self._counter = _Counter(score)
        else:
            self._counter.without += 1
        return self._counter.without >= self._options.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {**asdict(self._counter), "monitor": self._options.monitor if self._options else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint's :meth:`state`; if it monitored another metric, counting starts at zero."""
        counter = dict(state)
        if self._options and counter.pop("monitor") == self._options.monitor:
            self._counter = _Counter(**counter)


def resume_hint(run: RunFolder) -> str:
    """Which state of an ended training is saved, and the command that resumes it."""
    step = run.last_saved_step()
    if step is None:
        return "No state had been saved yet"
    command = f"{segstack_command()} train --resume {shlex.quote(str(run))}"
    return f"The state after step {step} is saved; resume with `{command}`"


@contextlib.contextmanager
def as_user_errors(
    run: RunFolder, recipe: Recipe, distribution: Distribution, save: Callable[[], None]
) -> Iterator[None]:
    """Reraise the block's errors as UserErrors that say how to resume; ``save`` keeps the state where it is sound."""
    try:
        yield
    except StoppedError:
        raise
    except DivergedError as error:
        raise UserError(f"{error}. {resume_hint(run)}") from None
    except UserError as error:  # of the data set: the weights are sound
        with contextlib.suppress(OSError, DivergedError):
            save()
        raise UserError(f"{error}. {resume_hint(run)}") from None
    except OSError as error:
        raise UserError(f"{error.filename or run}: {error.strerror or error}. {resume_hint(run)}") from None
    except tf.errors.ResourceExhaustedError as error:
        if os.strerror(errno.ENOSPC) in error.message:  # TensorFlow has one error for disks and devices
            raise UserError(f"{run}: {os.strerror(errno.ENOSPC)}. {resume_hint(run)}") from None
        raise UserError(
            f"the device's memory is too small for a batch of {recipe.data.batch_size}: lower data.batch_size, and set "
            f"accumulate to make up for it. {resume_hint(run)}"
        ) from None
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if distribution.is_alone:
            raise
        reason = str(error.message).splitlines()[0]
        raise UserError(
            f"another worker of TF_CONFIG has ended or cannot be reached ({reason}). {resume_hint(run)}"
        ) from None
