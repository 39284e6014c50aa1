"""An image's format and size, and whether the file is complete, from its bytes before it is decoded.

Decoders trust a header's size (a 17 KiB PNG can become 412 MiB) and silently fill in what a truncated file lacks, so
both are checked here.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.errors import UndecodableImage, UnsupportedImage

ImageFormat = Literal["jpeg", "png", "webp"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# In the first letter of a chunk's type (PNG, section 5.4): a decoder may skip the chunk.
_ANCILLARY = 0x20

# Real files have tens of segments or chunks, thousands at most, and progressive JPEGs about ten scans. Only an attack
# has millions of them, or thousands of empty scans: at 49 megapixels each costs the decoder 3 ms and the sender 100
# bytes.
_MAX_PARTS = 100_000
_MAX_SCANS = 100

_EXIF = b"Exif\0\0"

# JPEG markers (ITU-T T.81, table B.1). SOF0-15 are frame headers, except DHT, JPG and DAC among them.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0-7, SOI: no length follows
# Within a scan, FF00 is a stuffed byte, FFD0-D7 a restart marker and FFFF padding; any other marker ends the scan.
_PADDING = re.compile(rb"\xff*")
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True)
class ImageHeader:
    """Format and stored size in pixels, before any EXIF rotation."""

    format: ImageFormat
    width: int
    height: int


def read_header(data: bytes) -> ImageHeader:
    """Format and size, from the first bytes.

    Raises:
        UnsupportedImage: neither JPEG, PNG nor WebP.
        UndecodableImage: one of them, but without a usable size.
    """
    kind = sniff(data)
    width, height = {"jpeg": _jpeg_size, "png": _png_size, "webp": _webp_size}[kind](data)
    if width < 1 or height < 1:
        raise UndecodableImage(
            f"the {kind.upper()} header gives a size of {width}x{height} pixels; expected at least 1x1"
        )
    return ImageHeader(kind, width, height)


def sniff(data: bytes) -> ImageFormat:
    """The format by its magic bytes; the sender's Content-Type does not matter.

    Raises:
        UnsupportedImage: neither JPEG, PNG nor WebP.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(_PNG_SIGNATURE):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    raise UnsupportedImage(
        "this is not a JPEG, PNG or WebP image; send one of these, by HTTP as the raw body or multipart field 'image'",
        first_bytes=data[:12].hex(" "),
    )


def check_complete(data: bytes, kind: ImageFormat) -> None:
    """Check that the file reaches its own end: JPEG its EOI, PNG its IEND, WebP its RIFF length.

    Raises:
        UndecodableImage: it is truncated.
    """
    complete = {"jpeg": _jpeg_complete, "png": _png_complete, "webp": _webp_complete}[kind](data)
    if not complete:
        raise UndecodableImage(
            f"the {kind.upper()} is truncated: its {len(data)} bytes do not reach its end; send the whole file"
        )


def exif_block(data: bytes, kind: ImageFormat) -> bytes:
    """The TIFF structure of the file's EXIF data; empty if there is none."""
    match kind:
        case "jpeg":
            for marker, start, end in _jpeg_segments(data):
                if marker == _APP1 and data.startswith(_EXIF, start):
                    return data[start + len(_EXIF) : end]
                if marker == _START_OF_SCAN:
                    break
        case "png":
            for chunk, start, end in _png_chunks(data):
                if chunk == b"eXIf":
                    return data[start:end]
        case "webp":
            for chunk, start, end in _webp_chunks(data):
                if chunk == b"EXIF":
                    return data[start:end].removeprefix(_EXIF)  # some writers add it, though only JPEG has it
    return b""


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's payload, skipping the scans; ends where the file does."""
    position = 2
    for _ in range(_MAX_PARTS):
        padded = position
        position = _PADDING.match(data, position).end()  # type: ignore[union-attr]  # it also matches the empty string
        if position == padded or position >= len(data):
            return
        marker = data[position]
        position += 1
        if marker == _END_OF_IMAGE:
            yield marker, position, position
            return
        if marker in _STANDALONE:
            continue
        if position + 2 > len(data):
            return
        end = position + int.from_bytes(data[position : position + 2], "big")
        if end < position + 2 or end > len(data):
            return
        yield marker, position + 2, end
        position = end
        if marker == _START_OF_SCAN:
            found = _SCAN_END.search(data, position)
            if found is None:
                return
            position = found.start()
    raise _too_many_parts("JPEG", "segments", _MAX_PARTS)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, start, end in _jpeg_segments(data):
        if marker in _FRAME_HEADERS and end - start >= 5:
            height, width = struct.unpack_from(">HH", data, start + 1)
            return width, height
        if marker == _START_OF_SCAN:
            break
    raise UndecodableImage("the JPEG has no frame header, so its size is unknown; send the whole file")


def _jpeg_complete(data: bytes) -> bool:
    scans = 0
    for marker, _, _ in _jpeg_segments(data):
        scans += marker == _START_OF_SCAN
        if scans > _MAX_SCANS:
            raise _too_many_parts("JPEG", "scans", _MAX_SCANS)
        if marker == _END_OF_IMAGE:
            return scans > 0
    return False


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 33 or data[8:16] != b"\x00\x00\x00\rIHDR":
        raise UndecodableImage("the PNG does not begin with an IHDR chunk, so its size is unknown; send the whole file")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each chunk's content up to IEND; ends where the file does."""
    position = len(_PNG_SIGNATURE)
    for _ in range(_MAX_PARTS):
        start = position + 8
        end = start + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            return
        kind = data[position + 4 : start]
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4
    raise _too_many_parts("PNG", "chunks", _MAX_PARTS)


def critical_chunks(png: bytes) -> bytes:
    """A PNG without its ancillary chunks; colours are those stored, transparent or not.

    libpng writes a line to standard error for every ancillary chunk that it finds invalid.
    """
    chunks = (png[start - 8 : end + 4] for kind, start, end in _png_chunks(png) if not kind[0] & _ANCILLARY)
    return b"".join((_PNG_SIGNATURE, *chunks))


def _png_complete(data: bytes) -> bool:
    return any(kind == b"IEND" for kind, _, _ in _png_chunks(data))


def _webp_size(data: bytes) -> tuple[int, int]:
    """Size of the canvas or the single frame (RFC 9649; RFC 6386, section 9.1, for VP8)."""
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF  # the upper two bits are a display scale
    raise UndecodableImage(
        "the WebP does not begin with a VP8, VP8L or VP8X chunk, so its size is unknown; send the whole file"
    )


def _webp_complete(data: bytes) -> bool:
    return 8 + int.from_bytes(data[4:8], "little") <= len(data)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each chunk's content, padded to an even length; ends where the file does."""
    position = 12
    for _ in range(_MAX_PARTS):
        start = position + 8
        end = start + int.from_bytes(data[position + 4 : start], "little")
        if start > len(data) or end > len(data):
            return
        yield data[position : position + 4], start, end
        position = end + end % 2
    raise _too_many_parts("WebP", "chunks", _MAX_PARTS)


def _too_many_parts(kind: str, parts: str, most: int) -> UndecodableImage:
    return UndecodableImage(
        f"the {kind} has more than {most} {parts}, which no camera writes; save it again with an image editor"
    )
