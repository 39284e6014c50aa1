"""A run folder: everything that one training writes, including its provenance.

::

    recipe.yaml     the recipe, overrides included
    run.json        data set, classes, versions, best epoch
    README.md       what the folder contains, and what to do with it
    metrics.csv     a line an epoch
    tensorboard/    the same as curves, and images
    best.keras      the network with the best validation mIoU
    best_loss.keras the one with the least validation loss
    last.keras      the network of the last validation
    state/          what resuming the training needs
"""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract import ClassInfo
from contract.durable import replace_file, replacing
from trainer.errors import UserError
from trainer.recipe import Recipe, load_recipe, save_recipe

if TYPE_CHECKING:  # Keras takes seconds to import
    import keras


@dataclass(frozen=True)
class RunFolder:
    """The files of a run by what they hold; no other module of the trainer contains their names."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def recipe(self) -> Path:
        """``recipe.yaml``, which :meth:`load_recipe` reads."""
        return self.path / "recipe.yaml"

    @property
    def facts(self) -> Path:
        """``run.json``, which :meth:`load_facts` reads."""
        return self.path / "run.json"

    @property
    def readme(self) -> Path:
        """What :meth:`write_readme` writes."""
        return self.path / "README.md"

    @property
    def metrics(self) -> Path:
        """A CSV with a line an epoch."""
        return self.path / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def best(self) -> Path:
        """The network with the best validation mIoU, as Keras saves it."""
        return self.path / "best.keras"

    @property
    def best_loss(self) -> Path:
        """The network with the least validation loss."""
        return self.path / "best_loss.keras"

    @property
    def last(self) -> Path:
        """The network of the last validation."""
        return self.path / "last.keras"

    @property
    def state(self) -> Path:
        """The folder of saved states."""
        return self.path / "state"

    def state_after(self, step: int) -> Path:
        """The file of the state after ``step`` steps."""
        return self.state / f"step-{step:08d}.npz"

    def states(self) -> list[Path]:
        """Every saved state, the newest first."""
        return sorted(self.state.glob("step-*.npz"), reverse=True)

    def last_saved_step(self) -> int | None:
        """The step of the newest state, None without any."""
        return next(map(step_of_state, self.states()), None)

    def is_run(self) -> bool:
        """Whether a training has begun here."""
        return self.recipe.is_file() or self.facts.is_file()

    def load_recipe(self, overrides: Sequence[str] = ()) -> Recipe:
        """The recipe, with ``path.to=value`` overrides."""
        return load_recipe(self.recipe, overrides)

    def save_recipe(self, recipe: Recipe) -> None:
        """Write ``recipe.yaml``, in one step."""
        save_recipe(recipe, self.recipe)

    def save_facts(self, facts: dict[str, Any]) -> None:
        """Write ``run.json``, in one step."""
        replace_file(self.facts, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")

    def load_facts(self) -> dict[str, Any]:
        """Read ``run.json``.

        Raises:
            UserError: it is not there, or no JSON.
        """
        try:
            return json.loads(self.facts.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None

    def load(self) -> "Run":
        """The trained run.

        Raises:
            UserError: this is not a run folder, or its training has not reached its first validation.
        """
        if not self.best.is_file() or not self.facts.is_file():
            raise UserError(
                f"{self} holds no trained network ({self.best.name}, {self.facts.name}): expected a run folder, as "
                "`segstack train` writes it"
            )
        facts = self.load_facts()
        try:
            classes = tuple(ClassInfo(c["id"], c["name"], tuple(c["color"])) for c in facts["classes"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(error) from None
        return Run(self.path, self.load_recipe(), classes)

    def write_readme(self, recipe: Recipe) -> None:
        """Write ``README.md``: what the folder contains and what to do with it."""
        average = f"\nThe networks hold the moving average of the weights (decay {recipe.average}).\n"
        command = segstack_command()
        text = _README.format(
            command=command,
            activated=", after `source .venv/bin/activate`" if command == "segstack" else "",
            predicted=shlex.quote(f"{self}/predicted"),
            title=self.path.name,
            network=recipe.network,
            height=recipe.data.input_height,
            width=recipe.data.input_width,
            data=recipe.data.path,
            quoted_data=shlex.quote(str(recipe.data.path)),
            epochs=recipe.epochs,
            average=average if recipe.average else "",
            folder=shlex.quote(str(self)),
        )
        replace_file(self.readme, text)

    def _unreadable(self, error: Exception) -> UserError:
        return UserError(f"{self.facts} cannot be read ({error}): train again")


@dataclass(frozen=True)
class Run:
    """A training that has been validated at least once."""

    folder: Path
    recipe: Recipe
    classes: tuple[ClassInfo, ...]

    @property
    def weights(self) -> Path:
        """The network with the best validation mIoU, as Keras saves it."""
        return RunFolder(self.folder).best


def save_network(model: "keras.Model", path: Path) -> None:
    """Replace a ``.keras`` file in one step: a process that is killed leaves the one before."""
    with replacing(path) as staged:
        model.save(staged)


def segstack_command() -> str:
    """How the user runs ``segstack``, for commands in messages: ``SEGSTACK_COMMAND``, which scripts/run.sh sets."""
    return os.environ.get("SEGSTACK_COMMAND") or "segstack"


def step_of_state(path: Path) -> int:
    """How many steps had been taken when the state in this file was saved."""
    return int(path.stem.removeprefix("step-"))


_README = """# {title}

A training of `{network}` at {height}x{width} (height x width) on the data set `{data}`, for {epochs} epochs at most.

| file | content |
|---|---|
| `best.keras` | the network with the best validation mIoU: what is published, evaluated and predicted with |
| `best_loss.keras` | the one with the least validation loss |
| `last.keras` | the last one that was validated |
| `recipe.yaml` | the whole recipe, overrides included; a recipe for another training |
| `run.json` | classes, command, versions, machine, the data set's checksum, and the results |
| `metrics.csv` | a line an epoch: losses, mIoU, IoU of each class, seconds and images a second |
| `tensorboard/` | the same as curves, and images with label and prediction |
| `state/` | what resuming needs: weights, optimiser, position in the data; remove it when the training is over |
{average}
mIoU is the mean over classes of intersection over union, on the validation images; pixels labelled 255 do not count.

Run these in the project's folder{activated}:

```sh
tensorboard --logdir {folder}
{command} train --resume {folder}    # continue from the last saved state
{command} evaluate {quoted_data} --model {folder}
{command} predict photo.jpg --model {folder} --output {predicted}
{command} export --run {folder} --name NAME    # publish it for serving
```
"""
