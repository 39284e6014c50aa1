"""A run folder: everything one training leaves, and enough to say where it came from.

::

    recipe.yaml     what was asked for, overrides included
    run.json        data set, classes, versions, best epoch
    README.md       what lies here, for whoever finds it
    metrics.csv     a line an epoch
    tensorboard/    the same as curves, and pictures
    best.keras      the network with the best validation mIoU
    best_loss.keras the one with the least validation loss
    last.keras      that of the last validation
    state/          what going on with the training needs
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract import ClassInfo
from contract.durable import replace_file, replacing
from trainer.errors import UserError
from trainer.recipe import Recipe, load_recipe

if TYPE_CHECKING:  # Keras takes seconds to import
    import keras

RECIPE_NAME, FACTS_NAME = "recipe.yaml", "run.json"
BEST, BEST_LOSS, LAST = "best.keras", "best_loss.keras", "last.keras"


@dataclass(frozen=True)
class Run:
    """A training that has been validated at least once."""

    folder: Path
    recipe: Recipe
    classes: tuple[ClassInfo, ...]

    @property
    def weights(self) -> Path:
        """The network with the best validation mIoU, as Keras saves it."""
        return self.folder / BEST


def save_network(model: "keras.Model", path: Path) -> None:
    """Replace a network of a run in one step: a training that is killed leaves the one before."""
    with replacing(path) as beside:
        model.save(beside)


def save_run_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write ``run.json``, in one step."""
    replace_file(folder / FACTS_NAME, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def load_run_facts(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises:
        UserError: it is not there, or no JSON.
    """
    try:
        return json.loads((folder / FACTS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from None


def load_run(folder: Path) -> Run:
    """Open a run folder.

    Raises:
        UserError: it is not one, or its training has not reached its first validation.
    """
    if not (folder / BEST).is_file() or not (folder / FACTS_NAME).is_file():
        raise UserError(f"{folder} holds no trained network ({BEST}, {FACTS_NAME}): run `trainer train` first")
    facts = load_run_facts(folder)
    try:
        classes = tuple(ClassInfo(c["id"], c["name"], tuple(c["color"])) for c in facts["classes"])
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(folder, error) from None
    return Run(folder, load_recipe(folder / RECIPE_NAME), classes)


def _unreadable(folder: Path, error: Exception) -> UserError:
    return UserError(f"{folder / FACTS_NAME} cannot be read ({error}): train again")
