"""A run folder: everything one training leaves, and enough to say where it came from.

::

    recipe.yaml     what was asked for, overrides included
    run.json        data set, classes, versions, best epoch
    metrics.csv     a line an epoch
    best.keras      the weights with the best validation mIoU
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import keras

from contract import ClassInfo
from trainer.errors import UserError
from trainer.recipe import Recipe, load_recipe


@dataclass(frozen=True)
class Run:
    """A finished training."""

    folder: Path
    recipe: Recipe
    classes: tuple[ClassInfo, ...]

    @property
    def weights(self) -> Path:
        """The network with the best validation mIoU, as Keras saves it."""
        return weights_path(self.folder)


def weights_path(folder: Path) -> Path:
    """Where a run keeps its best weights."""
    return folder / "best.keras"


def save_weights(model: keras.Model, folder: Path) -> None:
    """Replace a run's best weights in one step: a training that is killed leaves the ones before."""
    beside = folder / ".tmp-best.keras"
    model.save(beside)
    beside.replace(weights_path(folder))


def save_run_facts(folder: Path, classes: tuple[ClassInfo, ...], facts: dict[str, object]) -> None:
    """Write ``run.json``."""
    content = {"classes": [dataclasses.asdict(c) for c in classes], **facts}
    (folder / "run.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_run(folder: Path) -> Run:
    """Open a run folder.

    Raises:
        UserError: it is not one, or its training has not reached the end of an epoch.
    """
    if not weights_path(folder).is_file() or not (folder / "run.json").is_file():
        raise UserError(f"{folder} holds no trained network (best.keras, run.json): run `trainer train` first")
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        classes = tuple(ClassInfo(c["id"], c["name"], tuple(c["color"])) for c in facts["classes"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / 'run.json'} cannot be read ({error}): train again") from None
    return Run(folder, load_recipe(folder / "recipe.yaml"), classes)
