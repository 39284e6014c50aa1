"""Checkpoints in both of ``torch.save``'s formats, written without PyTorch, and a small network's state dict.

What PyTorch 2.13 itself writes in both formats was read with the same result when this was written.
"""

import struct
import zipfile
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<i8": "LongStorage"}
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def _text(text):
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _integers(*values):
    return b"".join(b"J" + struct.pack("<i", value) for value in values)


def _tensor(key, tensor, legacy):
    """``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())``."""
    view = b"N" if legacy else b""
    storage = b"(" + _text("storage") + b"ctorch\n" + tensor.storage.encode() + b"\n" + _text(key) + _text("cpu")
    storage += _integers(tensor.elements) + view + b"tQ"
    shape, strides = (b"(" + _integers(*sizes) + b"t" for sizes in (tensor.shape, tensor.strides))
    arguments = storage + _integers(tensor.offset) + shape + strides + b"\x89" + ORDERED_DICT
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def _dictionary(items):
    return ORDERED_DICT + b"(" + b"".join(_text(name) + value for name, value in items.items()) + b"u"


@pytest.fixture(scope="session")
def torch_tensor():
    """``torch_tensor(array)``: as PyTorch would hold it; keywords lay its storage out differently."""

    def hold(array, *, data=None, storage=None, shape=None, strides=None, offset=0, elements=None):
        array = np.asarray(array, order="C")
        data = array.tobytes() if data is None else data
        if strides is None:
            strides = [stride // array.itemsize for stride in array.copy().strides]
        return SimpleNamespace(
            data=data,
            storage=storage or STORAGES[array.dtype.str],
            shape=array.shape if shape is None else shape,
            strides=strides,
            offset=offset,
            elements=array.size if elements is None else elements,
        )

    return hold


@pytest.fixture(scope="session")
def save_torch(torch_tensor):
    """``save_torch(path, state)`` writes arrays or tensors by name; ``legacy`` as before PyTorch 1.6."""

    def save(path, state, *, legacy=False, wrapper=None, byteorder=b"little", pickled=None, compression=0):
        tensors = {name: t if hasattr(t, "storage") else torch_tensor(t) for name, t in state.items()}
        keys = {name: str(number) for number, name in enumerate(tensors)}
        content = _dictionary({name: _tensor(keys[name], tensor, legacy) for name, tensor in tensors.items()})
        if wrapper:
            content = _dictionary({"epoch": _integers(3), wrapper: content})
        content = b"\x80\x02" + content + b"." if pickled is None else pickled
        if legacy:
            machine = _dictionary({"little_endian": b"\x88" if byteorder == b"little" else b"\x89"})
            key_list = b"](" + b"".join(_text(key) for key in keys.values()) + b"e"
            pickles = [b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19", b"M\xe9\x03", machine]
            out = b"".join(b"\x80\x02" + p + b"." for p in pickles) + content + b"\x80\x02" + key_list + b"."
            out += b"".join(struct.pack("<q", t.elements) + t.data for t in tensors.values())
            path.write_bytes(out)
            return path
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("archive/data.pkl", content)
            archive.writestr("archive/byteorder", byteorder)
            for name, tensor in tensors.items():
                archive.writestr(f"archive/data/{keys[name]}", tensor.data)
        return path

    return save


@pytest.fixture(scope="session")
def state_dict_of():
    """``state_dict_of(model)``: random weights in the authors' layout for a Keras DDRNet, and its Keras values."""

    words = {
        "kernel": "weight",
        "bias": "bias",
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }

    def make(model):
        state, values = {}, {}
        for layer in model.layers:
            for variable in layer.weights:
                random = np.random.default_rng(zlib.crc32(variable.path.encode()))
                value = random.uniform(0.5, 1.5, variable.shape).astype(np.float32)
                if value.ndim == 4:  # or activations grow beyond float32
                    value = (value - 1) * np.float32(np.sqrt(12 / np.prod(value.shape[:3])))
                values[variable.path] = value
                name = f"{layer.name}.{words[variable.name]}"
                state[name] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
                if variable.name == "gamma":
                    state[f"{layer.name}.num_batches_tracked"] = np.array(7)
        return state, values

    return make
