"""Which values of its recipe a training may be resumed with."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer.errors import UserError
from trainer.recipe import Recipe, load_recipe
from trainer.runs import RECIPE_NAME

# Those that change nothing of what has been trained, and those that a training gone wrong is mended with.
CHANGEABLE = (
    "data.cache",
    "data.path",
    "early_stopping",
    "epochs",
    "optimizer.clip_norm",
    "optimizer.learning_rate",
    "validate_every",
)


def resumed_recipe(run: Path, overrides: Sequence[str] = ()) -> tuple[Recipe, list[str]]:
    """The recipe of a run folder with ``overrides``, and each value that is another one now, in words.

    Raises:
        UserError: ``run`` is no run folder, or an override changes what is trained.
    """
    path = run / RECIPE_NAME
    if not path.is_file():
        raise UserError(f"{run} is no run folder: it has no {RECIPE_NAME}")
    was, now = load_recipe(path), load_recipe(path, overrides)
    changes = list(_changes(was.model_dump(mode="json"), now.model_dump(mode="json")))
    for name, _, _ in changes:
        if not any(name == other or name.startswith(f"{other}.") for other in CHANGEABLE):
            raise UserError(
                f"--set {name}: a resumed training keeps it; what may change is {', '.join(CHANGEABLE)}. For anything "
                f"else start a new run with --set weights={run}"
            )
    if now.epochs < was.epochs:
        raise UserError(f"--set epochs={now.epochs}: the run has {was.epochs}; it can go on for longer, not for less")
    return now, [f"{name} was {before}, is {after}" for name, before, after in changes]


def _changes(was: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*was, *now]):
            yield from _changes(was.get(key), now.get(key), f"{name}.{key}".removeprefix("."))
    elif was != now:
        yield name, was, now
