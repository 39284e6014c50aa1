"""The authors' names for DDRNet's tensors, and which of them our network does not need.

Our layers carry the names of the authors' state dict, so only the last word of a name differs.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Keras's names for variables, and PyTorch's.
_WORDS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

# Put before every name by the authors' training script, and by PyTorch's data parallelism.
_PREFIX = re.compile(r"^((module|model)\.)+")

AUXILIARY_HEAD = "seghead_extra"

_SKIPPED = {
    r"\.num_batches_tracked$": "counts batches, which exponential averages do not need",
    r"^loss\.": "belongs to the loss of their training",
    r"^(down5|last_layer|linear)\.": "the ImageNet classifier, which a segmentation network ends before",
    rf"^{AUXILIARY_HEAD}\.": "the auxiliary head, which this network was built without",
}

# Parts that the ImageNet files, or files saved without an auxiliary head, lack as a whole.
_MAY_BE_MISSING = {
    "spp": "pyramid pooling",
    "final_layer": "head",
    AUXILIARY_HEAD: "auxiliary head",
}


def variables_by_name(model: Any) -> dict[str, Any]:
    """Every variable of a Keras DDRNet by the authors' name of it."""
    return {f"{layer.name}.{_WORDS[v.name]}": v for layer in model.layers for v in layer.weights}


def without_prefixes(state: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """A state dict with the plain names: without ``module.`` and ``model.``."""
    return {_PREFIX.sub("", name): array for name, array in state.items()}


def as_keras(array: NDArray) -> NDArray:
    """A convolution's kernel from PyTorch's order OIHW to HWIO; anything else as it is."""
    return np.transpose(array, (2, 3, 1, 0)) if array.ndim == 4 else array


def reason_to_skip(name: str) -> str | None:
    """Why a tensor of the authors' files is not needed; None for any other tensor."""
    return next((reason for pattern, reason in _SKIPPED.items() if re.search(pattern, name)), None)


def part_that_may_be_missing(name: str, state: Mapping[str, NDArray]) -> str | None:
    """The part of the network that ``name`` belongs to, if files may lack it and this one does; or None."""
    part = name.split(".")[0]
    is_there = any(other.startswith(f"{part}.") for other in state)
    return None if is_there else _MAY_BE_MISSING.get(part)


def network_of(state: Mapping[str, NDArray]) -> str | None:
    """The DDRNet of a state dict, recognised by its stem and its third stage; None for another network's."""
    stem = state.get("conv1.0.weight")
    if stem is None or ("compression3.0.weight" not in state and "compression3_1.0.weight" not in state):
        return None
    if "compression3_1.0.weight" in state:
        return "ddrnet39"
    return {(32,): "ddrnet23_slim", (64,): "ddrnet23"}.get(stem.shape[:1])
