"""The whole state of a training as files: ``state/step-<number>.npz``, the last two of them.

Everything that the next step depends on is in it, so that a training goes on as if it had never stopped: the weights,
their average, the optimiser's and the random generators' state, and beside these facts such as the epoch. Where the
data stands follows from the step.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from contract.durable import replacing
from trainer.errors import UserError
from trainer.runs import BEST
from trainer.training.distribution import Distribution

FOLDER = "state"
_KEPT = 2
_FACTS = "facts"


@dataclass(frozen=True)
class State:
    """After ``step`` steps: the variables' values in their order, and ``facts`` that JSON holds."""

    step: int
    values: list[NDArray]
    facts: dict[str, Any]


def save_state(run: Path, state: State) -> None:
    """Add ``state`` to a run folder in one step, and remove what is older than the one before it.

    Raises:
        OSError: the disk did not take it; the states that were there still are.
    """
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    for leftover in folder.glob(".tmp-*"):  # of a process that was killed while it wrote
        leftover.unlink()
    arrays: dict[str, Any] = {f"{number:05d}": value for number, value in enumerate(state.values)}
    arrays[_FACTS] = np.frombuffer(json.dumps(state.facts).encode(), np.uint8)
    written = folder / f"step-{state.step:08d}.npz"
    with replacing(written) as beside, beside.open("wb") as file:
        np.savez(file, **arrays)
    states = _newest_first(run)
    newest = states.index(written)  # a later one is damaged: the training went on from before it
    for path in states[:newest] + states[newest + _KEPT :]:
        path.unlink()


def load_state(run: Path) -> State:
    """The newest state of a run folder that can be read.

    Raises:
        UserError: there is none.
    """
    for path in _newest_first(run):
        try:
            # Opened here: of a damaged file NumPy would leave the closing to chance.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                facts = json.loads(content[_FACTS].tobytes())
                values = [content[name] for name in sorted(content.files) if name != _FACTS]
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            continue
        return State(int(path.stem.removeprefix("step-")), values, facts)
    if (run / BEST).is_file():
        going_on = f"a new run with `--set weights={run}` starts from its weights"
    else:
        going_on = "it ended before there was one, and before its first validation: remove it, and train anew"
    raise UserError(f"{run} holds no saved state of a training: {going_on}")


def restore(run: Path, variables: Sequence[keras.Variable], distribution: Distribution) -> dict[str, Any]:
    """Give every worker's ``variables`` the values of the newest state, which the chief alone reads; return its facts.

    Raises:
        UserError: there is none, or it is of another network.
    """
    mine, text = [variable.numpy() for variable in variables], ""
    if distribution.is_chief:
        state = load_state(run)
        if [value.shape for value in state.values] != [value.shape for value in mine]:
            raise UserError(
                f"{run}: its state is of another network than this version of the trainer builds: a new run with "
                f"`--set weights={run}` starts from its weights"
            )
        mine, text = state.values, json.dumps(state.facts)
    facts = json.loads(distribution.text_from_chief(text))
    for variable, value in zip(variables, distribution.from_chief(mine), strict=True):
        variable.assign(value)
    return facts


def last_saved(run: Path) -> int | None:
    """The step of the newest state, None without any."""
    return next((int(path.stem.removeprefix("step-")) for path in _newest_first(run)), None)


def _newest_first(run: Path) -> list[Path]:
    return sorted((run / FOLDER).glob("step-*.npz"), reverse=True)
