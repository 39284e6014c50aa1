"""The pickle inside a PyTorch checkpoint, read without PyTorch and without running anything that the file names.

A pickle is a program: it may name any function and have it called. This one may name what tensors are made of, and
each of these names stands for something of ours that only takes notes; any other name ends the reading before it is
looked up. What a tensor is made of: PyTorch's ``torch/_utils.py`` and ``torch/serialization.py``.
"""

import math
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError

# Storages by PyTorch's name; always little-endian here. NumPy has no bfloat16: the upper half of a float32.
_BFLOAT16 = "BFloat16Storage"
_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    _BFLOAT16: np.dtype("<u2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class StateDict(dict):
    """Stands for ``collections.OrderedDict``; its attributes (``_metadata``: versions of modules) are not taken."""

    def __setstate__(self, state: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class StorageType:
    """Stands for ``torch.FloatStorage`` and its like."""

    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers that lies elsewhere in the file, under ``key``."""

    type: StorageType
    key: str
    elements: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers in the file."""
        return _DTYPES[self.type.name]

    @property
    def size(self) -> int:
        """In bytes."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, data: bytes) -> NDArray:
        """The tensor's numbers from those of its storage, read-only.

        Raises:
            ValueError: it reaches beyond its storage, or has more elements than that (a stride of 0 could blow a few
                bytes up to any size).
        """
        if math.prod(self.shape) > self.storage.elements:
            raise ValueError(f"a tensor of shape {list(self.shape)} in a storage of {self.storage.elements} elements")
        dtype = self.storage.dtype
        strides = [stride * dtype.itemsize for stride in self.strides]
        view: NDArray = np.ndarray(self.shape, dtype, data, self.offset * dtype.itemsize, strides)
        if self.storage.type.name == _BFLOAT16:
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view


def _rebuild_tensor(
    storage: Storage, offset: int, shape: tuple, strides: tuple, *_gradient_and_hooks: object
) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError(f"a tensor over {type(storage).__name__} in place of a storage")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: Tensor, *_gradient_and_hooks: object) -> Tensor:
    return tensor


_ALLOWED: dict[tuple[str, str], Callable | StorageType] = {
    ("collections", "OrderedDict"): StateDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): StorageType(name) for name in _DTYPES},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UserError(
                f"it names {module}.{name}, which is not part of a plain state dict, so it was not read and nothing "
                "of it was run. In PyTorch, torch.save(model.state_dict(), …) writes a file without"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, reference: Any) -> Storage:
        kind, storage_type, key, _location, elements, *view = reference
        is_known = kind == "storage" and isinstance(storage_type, StorageType) and isinstance(key, str)
        if not is_known or not isinstance(elements, int) or any(part is not None for part in view):
            raise ValueError(f"an unknown reference {reference!r}")
        storage = Storage(storage_type, key, elements)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key} is of two kinds")
        return storage


def load(file: IO[bytes]) -> tuple[Any, dict[str, Storage]]:
    """The pickle that starts here, its tensors as :class:`Tensor`, and every storage that it names, by key.

    The file then stands behind the pickle.

    Raises:
        UserError: it names something that a state dict has no need of.
        Exception: of any kind, where the pickle is damaged.
    """
    start = file.tell()
    for opcode, argument, position in pickletools.genops(file):
        # The place of a note in the unpickler's memory, for which it would reserve gigabytes.
        if opcode.name.endswith("PUT") and int(argument or 0) > (position or 0):
            raise ValueError("a memo beyond the pickle's end")
    file.seek(start)
    unpickler = _Unpickler(file)
    return unpickler.load(), unpickler.storages
