"""What a resumed training takes from its run folder, and which values of the recipe it may change."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trainer.datasets.dataset import Dataset
from trainer.datasets.inspection import checksum
from trainer.errors import UserError
from trainer.recipe import Recipe, resumable_values
from trainer.runs import RunFolder

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    from trainer.training.epochs import TrainingProgress


def resumed_recipe(run: RunFolder, overrides: Sequence[str] = ()) -> tuple[Recipe, list[str]]:
    """The recipe of a run folder with ``overrides``, and each value that they change, in words.

    Raises:
        UserError: ``run`` is not a run folder, or an override changes what is trained.
    """
    if not run.recipe.is_file():
        raise UserError(f"{run} is not a run folder: it has no {run.recipe.name}")
    before, after = run.load_recipe(), run.load_recipe(overrides)
    changes = list(_changes(before.model_dump(mode="json"), after.model_dump(mode="json")))
    allowed = resumable_values()
    for name, _, _ in changes:
        if not any(name == other or name.startswith(f"{other}.") for other in allowed):
            raise UserError(
                f"--set {name}: a resumed training keeps it; what may change is {', '.join(allowed)}. For anything "
                f"else start a new run with --set weights={run}"
            )
    if after.epochs < before.epochs:
        raise UserError(
            f"--set epochs={after.epochs}: the run has {before.epochs}; resuming can lengthen it, not shorten it"
        )
    return after, [f"{name} was {old}, is {new}" for name, old, new in changes]


def require_same_data(run: RunFolder, dataset: Dataset) -> None:
    """Raise UserError unless ``dataset`` is the one that the run was trained on, unchanged."""
    known = run.load_facts().get("data", {}).get("sha256")
    if known != checksum(dataset):
        raise UserError(
            f"{dataset.root} is not the data set that {run} was trained on, or has changed since: restore that one, "
            f"or start a new run with --set weights={run}"
        )


def recall_best(run: RunFolder, done: "TrainingProgress") -> None:
    """Take the best mIoU from run.json: it is written before the state, so a kill in between left the state behind."""
    facts = run.load_facts()
    miou = facts.get("validation_miou")
    if miou is not None and (done.best_miou is None or miou > done.best_miou):
        done.best_miou, done.best_epoch = miou, facts.get("best_epoch")


def _changes(before: Any, after: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _changes(before.get(key), after.get(key), f"{name}.{key}".removeprefix("."))
    elif before != after:
        yield name, before, after
