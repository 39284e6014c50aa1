"""``assets.extra/tf_serving_warmup_requests``: every signature once at N=1.

TensorFlow Serving replays the file while it loads a version, so the first client's request finds a warm graph, and a
version that fails is refused instead of becoming AVAILABLE. The file is a TFRecord of
``tensorflow.serving.PredictionLog``. Both formats are written here by hand, so that the converter can write them on
Python 3.8 with TensorFlow 2.6.2, without the serving stubs; the field numbers are those of TensorFlow Serving's
``prediction_log.proto``, ``predict.proto``, ``model.proto`` and TensorFlow's ``tensor.proto``.
"""

import struct
import zlib
from pathlib import Path
from typing import List

from contract.card import ModelCard
from contract.signatures import TensorSpec, signatures
from contract.wire import field, varint_field

WARMUP_PATH = Path("assets.extra", "tf_serving_warmup_requests")  # in a version's folder

_GREY = 114
_DTYPE = {"uint8": 4, "string": 7}  # tensorflow.DataType


def requests(card: ModelCard) -> List[bytes]:
    """One serialized ``PredictionLog`` for each signature of the card, each with N=1."""
    records = []
    for name, signature in signatures(card).items():
        model_spec = _message(1, card.name.encode()) + _message(3, name.encode())
        inputs = b"".join(
            _message(2, _message(1, alias.encode()) + _message(2, _tensor(spec, card)))
            for alias, spec in signature.inputs.items()
        )
        predict_request = _message(1, model_spec) + inputs
        records.append(_message(6, _message(1, predict_request)))
    return records


def write(path: Path, card: ModelCard) -> None:
    """Write the warm-up file of a version with this card to ``path``."""
    path.write_bytes(b"".join(_tfrecord(record) for record in requests(card)))


def _tensor(spec: TensorSpec, card: ModelCard) -> bytes:
    """A TensorProto with N=1: a grey image, as one value for all pixels (tensor.proto allows it), or its PNG.

    ``describe`` gets the PNG too: it accepts any text.
    """
    sizes = [1 if size is None else size for size in spec.shape]
    shape = b"".join(_message(2, varint_field(1, size)) for size in sizes)
    if spec.dtype == "string":
        value = _message(8, grey_png(card.input_height, card.input_width))
    else:
        value = varint_field(7, _GREY)
    return varint_field(1, _DTYPE[spec.dtype]) + _message(2, shape) + value


def grey_png(height: int, width: int) -> bytes:
    """A grey 8-bit RGB PNG of ``height`` x ``width`` pixels (PNG specification, third edition)."""
    rows = (b"\x00" + bytes([_GREY]) * (3 * width)) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _message(number: int, payload: bytes) -> bytes:
    return b"".join(field(number, [payload]))


def _crc32c_table() -> List[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def _masked_crc32c(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _tfrecord(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked_crc32c(length) + data + _masked_crc32c(data)
