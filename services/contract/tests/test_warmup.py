"""The warm-up file, byte by byte. tests/test_contract_peers.py compares it with TensorFlow's own readers."""

import struct
import zlib

from contract import signatures, warmup


def unmask(masked: bytes) -> int:
    """The CRC under the mask of the TFRecord format: rotated right by 15, plus 0xA282EAD8."""
    (value,) = struct.unpack("<I", masked)
    rotated = (value - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def records(data: bytes):
    """TFRecord framing: length u64, its CRC, the data, its CRC; little-endian."""
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert data[8:12] == warmup._masked_crc32c(data[:8])
        assert data[12 + length : 16 + length] == warmup._masked_crc32c(data[12 : 12 + length])
        yield data[12 : 12 + length]
        data = data[16 + length :]


def test_crc_is_masked_crc32c():
    assert unmask(warmup._masked_crc32c(b"123456789")) == 0xE3069283
    assert unmask(warmup._masked_crc32c(b"")) == 0
    assert unmask(warmup._masked_crc32c(bytes(32))) == 0x8A9136AA  # RFC 3720, B.4


def test_file_has_one_record_per_signature(tmp_path, card):
    warmup.write(tmp_path / warmup.WARMUP_PATH.name, card)
    assert list(records((tmp_path / warmup.WARMUP_PATH.name).read_bytes())) == warmup.requests(card)
    assert len(warmup.requests(card)) == len(signatures(card)) > 0


def test_each_request_names_the_model_and_its_signature(card):
    for name, record in zip(signatures(card), warmup.requests(card)):
        assert b"\x0a\x04road" in record  # ModelSpec.name
        assert b"\x1a" + bytes([len(name)]) + name.encode() in record  # ModelSpec.signature_name


def test_image_is_one_value_at_any_size(card):
    assert all(len(record) < 1000 for record in warmup.requests(card))


def test_png_is_grey_and_has_the_input_size():
    png = warmup.grey_png(32, 48)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (48, 32, 8, 2, 0, 0, 0)  # 8 bits, RGB, not interlaced
    assert zlib.decompress(chunks[b"IDAT"]) == (b"\0" + b"\x72" * 3 * 48) * 32  # filter 0, then pixels
