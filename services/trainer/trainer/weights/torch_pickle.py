"""The pickle inside a PyTorch checkpoint, read without PyTorch and without running anything that the file names.

A pickle is a program: it may name any function and have it called. Here it may name what tensors are made of, and
each of these names is replaced by a class of ours that only records its arguments; any other name is refused before
it is looked up, as are instructions that ``torch.save`` does not use. What a tensor is made of: PyTorch's
``torch/_utils.py`` and ``torch/serialization.py``.
"""

import math
import pickle
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

_MOST_DIMENSIONS = 64  # NumPy's limit


@dataclass(frozen=True, slots=True)
class StorageType:
    """Represents ``torch.FloatStorage`` and similar types."""

    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers that is elsewhere in the file, under ``key``."""

    type: StorageType
    key: str
    elements: int

    @property
    def size(self) -> int:
        """In bytes."""
        return self.elements * _DTYPES[self.type.name].itemsize

    def numbers(self, data: bytes) -> NDArray:
        """The run, one-dimensional, from its bytes in the file.

        Raises:
            ValueError: there are more or fewer than ``size``.
        """
        if len(data) != self.size:
            raise ValueError(f"storage {self.key} has {len(data)} bytes, expected {self.size}")
        numbers: NDArray = np.frombuffer(data, _DTYPES[self.type.name])
        return (numbers.astype(np.uint32) << 16).view(np.float32) if self.type.name == _BFLOAT16 else numbers


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: NDArray) -> NDArray:
        """A view of its storage's numbers.

        Raises:
            ValueError: it reaches beyond its storage, or has more elements than that (a stride of 0 could blow a few
                bytes up to any size).
        """
        if math.prod(self.shape) > self.storage.elements:
            raise ValueError(f"a tensor of shape {list(self.shape)} in a storage of {self.storage.elements} elements")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.ndarray(self.shape, numbers.dtype, numbers, self.offset * numbers.itemsize, strides)


def _rebuild_tensor(
    storage: Storage, offset: int, shape: tuple, strides: tuple, *_gradient_and_hooks: object
) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError(f"a tensor over {type(storage).__name__} in place of a storage")
    if any(not isinstance(number, int) for number in (offset, *shape, *strides)) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("a tensor whose shape, strides or offset are no whole numbers, or too many")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: Tensor, *_gradient_and_hooks: object) -> Tensor:
    return tensor


def _ordered_dict(items: Any = ()) -> dict:
    _check_keys([key for key, _value in items])
    return dict(items)


def _check_keys(keys: list[Any]) -> None:
    """Refuse keys that are slow to hash, or crash the process when hashed: deeply nested tuples."""
    if any(not isinstance(key, str | int | float | None) for key in keys):
        raise ValueError("a dictionary whose keys are neither names nor numbers")


_ALLOWED: dict[tuple[str, str], Callable | StorageType] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): StorageType(name) for name in _DTYPES},
}

# What builds numbers, text, lists, tuples, dictionaries and calls, in any protocol; no sets, no objects of classes.
_INSTRUCTIONS = """
    PROTO FRAME STOP MARK POP POP_MARK PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES UNICODE BINUNICODE SHORT_BINUNICODE
    EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT SETITEM SETITEMS
    GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID
"""
_STANDARD = pickle._Unpickler.dispatch


def _set_item(unpickler: Any) -> None:
    _check_keys(unpickler.stack[-2:-1])
    _STANDARD[pickle.SETITEM[0]](unpickler)


def _set_items(unpickler: Any) -> None:
    _check_keys(unpickler.stack[::2])
    _STANDARD[pickle.SETITEMS[0]](unpickler)


def _build(unpickler: Any) -> None:
    """Ignore attributes: those of a state dict are versions of modules, and nothing else here has any."""
    unpickler.stack.pop()


class _Unpickler(pickle._Unpickler):
    """The standard library's unpickler in Python, whose instructions can be replaced."""

    dispatch = {  # noqa: RUF012 - as the class above has it
        **{code: _STANDARD[code] for code in (getattr(pickle, name)[0] for name in _INSTRUCTIONS.split())},
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.BUILD[0]: _build,
    }

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            printable = ascii(f"{module}.{name}"[:100])[1:-1]
            raise UserError(
                f"it names {printable}, which is not part of a plain state dict, so it was not read and nothing "
                "of it was run. In PyTorch, torch.save(model.state_dict(), …) writes a file without"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, reference: Any) -> Storage:
        kind, storage_type, key, _location, elements, *view = reference
        is_known = kind == "storage" and isinstance(storage_type, StorageType) and isinstance(key, str)
        if not is_known or not isinstance(elements, int) or any(part is not None for part in view):
            raise ValueError("a reference to something other than a storage")
        storage = Storage(storage_type, key, elements)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key} is of two kinds")
        return storage


def load(file: IO[bytes]) -> tuple[Any, dict[str, Storage]]:
    """The pickle that starts here, its tensors as :class:`Tensor`, and every storage that it names, by key.

    The file's position is then after the pickle.

    Raises:
        UserError: it names something that a state dict does not need.
        Exception: of any kind, where the pickle is damaged.
    """
    unpickler = _Unpickler(file)
    try:
        return unpickler.load(), unpickler.storages
    except KeyError as error:
        raise ValueError(f"pickle instruction {error}, which torch.save has no use for") from None
