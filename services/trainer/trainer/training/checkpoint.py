"""The whole state of a training as files in its run folder, the last two of them.

A state holds everything that the next step depends on, so that a resumed training continues as if it had never stopped:
the weights, their average, the state of the optimiser and of the random generators, and facts such as the epoch. The
position in the data follows from the step.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from contract.durable import replacing
from trainer.errors import UserError
from trainer.runs import RunFolder, step_of_state
from trainer.training.distribution import Distribution

_KEPT = 2
_FACTS = "facts"


@dataclass(frozen=True)
class State:
    """After ``step`` steps: the variables' values in their order, and ``facts`` that JSON holds."""

    step: int
    values: list[NDArray]
    facts: dict[str, Any]


def save_state(run: RunFolder, state: State) -> None:
    """Add ``state`` to a run folder in one step, and remove states older than the one before it.

    Raises:
        OSError: it could not be written; the earlier states are untouched.
    """
    run.state.mkdir(exist_ok=True)
    for leftover in run.state.glob(".tmp-*"):  # of a process that was killed while it wrote
        leftover.unlink()
    arrays: dict[str, Any] = {f"{number:05d}": value for number, value in enumerate(state.values)}
    arrays[_FACTS] = np.frombuffer(json.dumps(state.facts).encode(), np.uint8)
    written = run.state_after(state.step)
    with replacing(written) as staged, staged.open("wb") as file:
        np.savez(file, **arrays)
    states = run.states()
    newest = states.index(written)  # a later one is damaged: the training was resumed from before it
    for path in states[:newest] + states[newest + _KEPT :]:
        path.unlink()


def load_state(run: RunFolder) -> State:
    """The newest state of a run folder that can be read.

    Raises:
        UserError: there is none.
    """
    for path in run.states():
        try:
            # Opened here, since NumPy leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                facts = json.loads(content[_FACTS].tobytes())
                values = [content[name] for name in sorted(content.files) if name != _FACTS]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            continue
        return State(step_of_state(path), values, facts)
    if run.best.is_file():
        remedy = f"start a new run with `--set weights={run}`, from its weights"
    else:
        remedy = "it ended before its first state and its first validation: remove it, and train again"
    raise UserError(f"{run} holds no saved state of a training: {remedy}")


def restore(run: RunFolder, variables: Sequence[keras.Variable], distribution: Distribution) -> dict[str, Any]:
    """Assign the newest state, which the chief alone reads, to every worker's ``variables``; return its facts.

    Raises:
        UserError: there is none, or it is a different network's.
    """
    mine, text = [variable.numpy() for variable in variables], ""
    if distribution.is_chief:
        state = load_state(run)
        if [value.shape for value in state.values] != [value.shape for value in mine]:
            raise UserError(
                f"{run}: its state does not fit the network that this version of the trainer builds: start a new "
                f"run with `--set weights={run}`, from its weights"
            )
        mine, text = state.values, json.dumps(state.facts)
    facts = json.loads(distribution.text_from_chief(text))
    for variable, value in zip(variables, distribution.from_chief(mine), strict=True):
        variable.assign(value)
    return facts
