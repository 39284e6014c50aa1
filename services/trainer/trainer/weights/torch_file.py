"""PyTorch checkpoints as NumPy arrays, without PyTorch: both formats that ``torch.save`` has written.

Since PyTorch 1.6 a zip: ``<name>/data.pkl``, and each storage as a member ``<name>/data/<key>``. Before,
pickles one after the other (a magic number, a protocol version, facts on the machine, the content, the storages'
keys), then each storage: its number of elements as int64, and these. Source: PyTorch's ``torch/serialization.py``.

There is a library for the zip (ptloader); for the older format, which DDRNet's authors used, there is no library.
"""

import io
import os
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from trainer.errors import UserError, one_line
from trainer.weights import torch_pickle
from trainer.weights.torch_pickle import Storage, Tensor

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

# What files that are no checkpoint often are, by their first bytes.
_OTHER_FORMATS = {
    b"<": "a web page: the download gave its page in place of the file. Open the address in a browser and save again",
    b"version https://git-lfs": "a Git LFS pointer and not the file itself: run `git lfs pull` in its repository",
    b"\x89HDF": "an HDF5 file of Keras: build its network, save it as FILE.keras, and publish that with "
    "`segstack export --from FILE.keras --name NAME --classes CLASSES`",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
}

# Keys that hold the state dict where a checkpoint also has epochs and optimisers.
_WRAPPERS = ("state_dict", "model_state_dict", "model")

Content = dict[str, Tensor]


def read_torch_file(path: Path) -> dict[str, NDArray]:
    """The state dict of a checkpoint: every tensor by its name, as the file has it.

    A wrapper (``state_dict``, ``model_state_dict`` or ``model``) is opened.

    Raises:
        UserError: no such file, no checkpoint, one that is damaged, or one that names anything but tensors. Nothing
            that the file names is ever executed.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(0)
        read = _read_zip if start.startswith(b"PK\x03\x04") else _read_legacy
        other = _other_format(start)
        if other:
            raise UserError(f"{path} is {other}")
        try:
            return read(file)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except Exception as error:  # a damaged pickle can raise anything
            reason = one_line(error) or type(error).__name__
            raise UserError(f"{path} is not a whole PyTorch checkpoint ({reason}): download it again") from None


def _other_format(start: bytes) -> str | None:
    if not start:
        return "empty: download it again"
    if start[8:9] == b"{":
        return "a safetensors file: expected what torch.save writes, a .pth or .pt"
    return next((what for magic, what in _OTHER_FORMATS.items() if start.lstrip().startswith(magic)), None)


def _read_zip(file: IO[bytes]) -> dict[str, NDArray]:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise UserError(
                "it is a zip, but not one that torch.save wrote (it has no data.pkl)"
                + (
                    f". It is a .keras file: publish it with `segstack export --from {shlex.quote(file.name)} "
                    "--name NAME --classes CLASSES`"
                    if "model.weights.h5" in members
                    else ""
                )
            )
        size = os.fstat(file.fileno()).st_size
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise UserError("its members are compressed, as torch.save never writes them")
        if sum(info.file_size for info in members.values()) > size:
            raise UserError(f"its members claim more than the file's {size} bytes")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in members and archive.read(f"{folder}byteorder") != b"little":
            raise UserError("it was written on a big-endian machine: save it again on another")
        content, _ = torch_pickle.load(io.BytesIO(archive.read(pickles[0])))
        return _arrays(_state_dict(content), lambda storage: archive.read(f"{folder}data/{storage.key}"))


def _read_legacy(file: IO[bytes]) -> dict[str, NDArray]:
    (magic, _), (protocol, _) = torch_pickle.load(file), torch_pickle.load(file)
    if (magic, protocol) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise ValueError("its first bytes are others")
    machine, _ = torch_pickle.load(file)
    if machine["little_endian"] is not True:
        raise UserError("it was written on a big-endian machine: save it again on another")
    content, storages = torch_pickle.load(file)
    keys, _ = torch_pickle.load(file)
    data: dict[str, bytes] = {}
    for key in keys:
        if not isinstance(key, str):
            raise ValueError("a storage's key is not text")
        elements = int.from_bytes(file.read(8), "little")
        if elements != storages[key].elements:
            raise ValueError(f"a storage of {elements} elements, expected {storages[key].elements}")
        data[key] = file.read(storages[key].size)
    return _arrays(_state_dict(content), lambda storage: data[storage.key])


def _state_dict(content: Any) -> Content:
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    tensors = content if isinstance(content, dict) else {}
    tensors = {name: tensor for name, tensor in tensors.items() if isinstance(name, str) and isinstance(tensor, Tensor)}
    if not tensors:
        raise UserError("it holds no state dict: expected tensors by name, alone or under state_dict or model")
    if not all(map(str.isprintable, tensors)):
        raise ValueError("a tensor's name has characters that cannot be printed")
    return tensors


def _arrays(state: Content, read: Callable[[Storage], bytes]) -> dict[str, NDArray]:
    """Each storage is read once, however many tensors share it."""
    numbers: dict[str, NDArray] = {}
    arrays = {}
    for name, tensor in state.items():
        key = tensor.storage.key
        if key not in numbers:
            numbers[key] = tensor.storage.numbers(read(tensor.storage))
        arrays[name] = tensor.array(numbers[key])
    return arrays
