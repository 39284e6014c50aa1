"""Weights from a file into a network: all that fit, or none and the reason.

Two kinds of files: PyTorch checkpoints by DDRNet's authors, and our networks (``.keras``, or a run folder).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError, first_few
from trainer.runs import RunFolder
from trainer.weights import ddrnet
from trainer.weights.torch_file import read_torch_file

if TYPE_CHECKING:  # Keras takes seconds to import
    import keras


@dataclass(frozen=True)
class Report:
    """The result for every tensor; ``skipped`` are in the file only, ``fresh`` in the network only, with reasons."""

    loaded: tuple[str, ...]
    skipped: Mapping[str, str]
    fresh: Mapping[str, str]

    def __str__(self) -> str:
        """The number of tensors with each result."""
        lines = [f"{len(self.loaded)} tensors loaded"]
        for what, names in (("skipped", self.skipped), ("left as they were", self.fresh)):
            for reason, count in Counter(names.values()).items():
                example = next(name for name in names if names[name] == reason)
                lines.append(f"{count} {what}: {reason} ({example}{', …' if count > 1 else ''})")
        return "\n".join(lines)

    def listing(self) -> str:
        """A line for every tensor."""
        lines = [f"loaded   {name}" for name in self.loaded]
        lines += [f"skipped  {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join([*lines, *(f"fresh    {name}: {reason}" for name, reason in self.fresh.items())])


def load_into(model: "keras.Model", path: Path) -> Report:
    """Give ``model`` the weights in ``path``.

    A last convolution for another number of classes stays as it is; so does an auxiliary head that the file lacks, and
    in the authors' ImageNet files the heads and the pyramid pooling.

    Args:
        model: a network of :func:`trainer.models.create_model`, of any input size.
        path: a PyTorch checkpoint of the authors' (DDRNet), a ``.keras`` file of ours, or a run folder.

    Raises:
        UserError: no such file, one that cannot be read, or one of another network; ``model`` is then as it was.
    """
    if path.is_dir():
        path = RunFolder(path).best
    if path.suffix == ".keras":
        return _load_keras(model, path)
    return load_state_dict(model, read_torch_file(path), path)


def load_state_dict(model: "keras.Model", state: Mapping[str, NDArray], path: Path) -> Report:
    """Give a DDRNet the tensors of an authors' state dict; ``path`` names it in errors. See :func:`load_into`."""
    state = ddrnet.without_prefixes(state)
    theirs = ddrnet.network_of(state)
    if theirs != model.name:
        what = f"holds the weights of {theirs}" if theirs else "holds the weights of a network that is no DDRNet"
        raise UserError(
            f"{path} {what}, not of {model.name}: a PyTorch checkpoint fits only the network it was saved from"
        )
    wanted = ddrnet.variables_by_name(model)
    skipped = {name: ddrnet.reason_to_skip(name) for name in state.keys() - wanted.keys()}
    unknown = sorted(name for name, reason in skipped.items() if reason is None)
    if unknown:
        raise UserError(f"{path} has {len(unknown)} tensors that {model.name} does not have: {first_few(unknown)}")
    fresh = {}
    for name in wanted.keys() - state.keys():
        part = ddrnet.part_that_may_be_missing(name, state)
        if part is None:
            raise UserError(f"{path} lacks {name}, which every file of {model.name} has: it is damaged")
        fresh[name] = f"the file has no {part}"
    found = {name: ddrnet.as_keras(array) for name, array in state.items() if name in wanted}
    head = state.get("final_layer.conv2.bias")
    classes = None if head is None or head.ndim != 1 else len(head)
    others = {name: str(reason) for name, reason in skipped.items()}
    return _assign(model, found, wanted, classes, path, others, fresh)


def _load_keras(model: "keras.Model", path: Path) -> Report:
    import keras

    try:
        saved = keras.models.load_model(path, compile=False)
    except Exception as error:  # layers deserialise themselves, and raise any error
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path} cannot be read: {reason}") from None
    output = getattr(saved, "output", None)
    if saved.name != model.name or not isinstance(output, Mapping) or "logits" not in output:
        theirs = saved.name if saved.name != model.name else f"a different {saved.name}"
        raise UserError(f"{path} holds the weights of {theirs}, not of {model.name}")
    found = {variable.path: variable.numpy() for variable in saved.weights}
    wanted = {variable.path: variable for variable in model.weights}
    has, wants = set(saved.output), set(model.output)
    skipped = dict.fromkeys(found.keys() - wanted.keys(), "the auxiliary head, which this network was built without")
    fresh = dict.fromkeys(wanted.keys() - found.keys(), "the file has no auxiliary head")
    if (skipped and not has > wants) or (fresh and not has < wants):
        raise UserError(
            f"{path} holds a different {saved.name}: {first_few(sorted(skipped | fresh))} have no counterpart"
        )
    found = {path: array for path, array in found.items() if path in wanted}
    return _assign(model, found, wanted, saved.output["logits"].shape[-1], path, skipped, fresh)


def _assign(
    model: "keras.Model",
    found: dict[str, NDArray],
    wanted: Mapping[str, "keras.Variable"],
    their_classes: int | None,
    path: Path,
    skipped: dict[str, str],
    fresh: dict[str, str],
) -> Report:
    """Assign ``found`` to ``wanted``; a shape may differ in its last axis alone, by the number of classes."""
    classes = model.output["logits"].shape[-1]
    for name, array in list(found.items()):
        ours = tuple(wanted[name].shape)
        if array.shape == ours:
            if not np.isfinite(array).all():
                raise UserError(f"{path}: {name} holds NaN or infinite numbers, so its training failed")
            continue
        if array.shape != (*ours[:-1], their_classes) or ours[-1] != classes:
            raise UserError(
                f"{path}: {name} is {list(array.shape)}, expected {list(ours)}: it belongs to a different network"
            )
        del found[name]
        fresh[name] = f"it is for {their_classes} classes in the file and for {classes} here"
    for name, array in found.items():
        wanted[name].assign(array)
    return Report(tuple(sorted(found)), dict(sorted(skipped.items())), dict(sorted(fresh.items())))
