"""How a training ends before its time: in one sentence, which says what is kept and how to go on."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from trainer.errors import UserError
from trainer.recipe import Recipe
from trainer.training.checkpoint import last_saved
from trainer.training.distribution import Distribution


class StoppedError(UserError):
    """A signal has ended the training; its state is saved. The exit status is what shells give a signal."""

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + signal


class DivergedError(UserError):
    """The loss or a weight is no number any more: this state is not worth keeping."""


def going_on(run: Path) -> str:
    """What is kept of a training that has ended."""
    step = last_saved(run)
    if step is None:
        return "No state had been saved yet"
    return f"The state after step {step} is saved: `python -m trainer train --resume {run}` goes on from there"


@contextlib.contextmanager
def ends_with_a_sentence(
    run: Path, recipe: Recipe, distribution: Distribution, save: Callable[[], None]
) -> Iterator[None]:
    """Raise what the block raises as a UserError that says how to go on; ``save`` keeps the state if it is sound."""
    try:
        yield
    except StoppedError:
        raise
    except DivergedError as error:
        raise UserError(f"{error}. {going_on(run)}") from None
    except UserError as error:  # of the data set: what has been trained is sound
        with contextlib.suppress(OSError, DivergedError):
            save()
        raise UserError(f"{error}. {going_on(run)}") from None
    except OSError as error:
        raise UserError(f"{error.filename or run}: {error.strerror or error}. {going_on(run)}") from None
    except tf.errors.ResourceExhaustedError as error:
        if os.strerror(errno.ENOSPC) in error.message:  # TensorFlow has one error for disks and devices
            raise UserError(f"{run}: {os.strerror(errno.ENOSPC)}. {going_on(run)}") from None
        raise UserError(
            f"the device's memory does not hold a batch of {recipe.data.batch_size}: lower data.batch_size, and set "
            f"accumulate to make up for it. {going_on(run)}"
        ) from None
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if distribution.is_alone:
            raise
        reason = str(error.message).splitlines()[0]
        raise UserError(
            f"another worker of TF_CONFIG has ended or cannot be reached ({reason}). {going_on(run)}"
        ) from None
