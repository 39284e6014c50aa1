"""Files that try to break an image decoder; ``python -m segstack_testing.hostile_images FOLDER [KIND …]`` writes them.

One folder for each kind: truncated, flipped, headers, bombs, types, polyglots, modes. The same bytes every time.
"""

import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from segstack_testing.images import save

Files = Iterator[tuple[str, bytes]]

PIXELS = np.kron(np.random.default_rng(8).integers(0, 256, (6, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
PNG = b"\x89PNG\r\n\x1a\n"
# Just under the 50 megapixels that are accepted.
SIDE = 7000


def saved(kind: str, image: Image.Image | None = None, **options) -> bytes:
    return save(image or Image.fromarray(PIXELS), kind, **options)


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def ihdr(width: int, height: int, depth=8, colour=2, compression=0, filtering=0, interlace=0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filtering, interlace))


def png(*chunks: bytes) -> bytes:
    return PNG + b"".join(chunks) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """``count`` zero bytes, deflated a thousandfold."""
    deflate = zlib.compressobj(9)
    block = bytes(2**20)
    whole, rest = divmod(count, len(block))
    return b"".join(deflate.compress(block) for _ in range(whole)) + deflate.compress(bytes(rest)) + deflate.flush()


def segment(marker: int, payload: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def sof(width: int, height: int, marker=0xC0, precision=8, components: bytes = b"\x01\x11\x00") -> bytes:
    return segment(marker, struct.pack(">BHHB", precision, height, width, len(components) // 3) + components)


def with_sof(data: bytes, replacement: bytes) -> bytes:
    """A JPEG with another frame header than its own."""
    start = data.index(b"\xff\xc0")
    return data[:start] + replacement + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]


def scans(width: int, height: int, count: int) -> bytes:
    """A progressive JPEG, all grey, of one DC scan and ``count`` AC scans of nothing but end-of-band runs."""
    blocks = -(-width // 8) * -(-height // 8)
    start = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) + sof(width, height, 0xC2)
    start += segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
    start += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
    direct = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(blocks // 8) + b"\x7f"
    bits = 15 * -(-blocks // 2**14)
    alternating = segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + bytes(bits // 8) + b"\x7f"
    return start + direct + alternating * count + b"\xff\xd9"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def vp8x(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", struct.pack("<I", flags) + size


def frames() -> dict:
    return {"save_all": True, "append_images": [Image.fromarray(255 - PIXELS)] * 3}


def sound() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "jpeg": saved("JPEG", exif=exif),
        "jpeg-progressive": saved("JPEG", progressive=True),
        "jpeg-restarts": saved("JPEG", restart_marker_blocks=2),
        "png": saved("PNG", exif=exif),
        "png-palette": saved("PNG", Image.fromarray(PIXELS).quantize(16)),
        "png-animated": saved("PNG", **frames()),
        "webp": saved("WEBP", exif=exif),
        "webp-lossless": saved("WEBP", lossless=True),
        "webp-animated": saved("WEBP", **frames()),
    }


def truncated() -> Files:
    """Sound files, cut at every hundredth of their length."""
    for name, data in sound().items():
        for percent in range(100):
            yield f"{name}-{percent:02}", data[: len(data) * percent // 100]


def flipped() -> Files:
    """Sound files with a few bytes changed."""
    chance = random.Random(8)
    for name, data in sound().items():
        for number in range(40):
            changed = bytearray(data)
            for _ in range(chance.choice((1, 1, 4, 32))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            yield f"{name}-{number:02}", bytes(changed)


def headers() -> Files:
    """Sizes and parameters that are absurd, or contradict each other."""
    idat = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    for width, height in ((0, 1), (1, 0), (2**31, 1), (2**32 - 1, 2**32 - 1), (30_000, 30_000), (1_000_001, 1)):
        yield f"png-{width}x{height}", png(ihdr(width, height), idat)
    for field in ({"depth": 3}, {"depth": 16, "colour": 3}, {"colour": 5}, {"compression": 9}, {"interlace": 7}):
        yield f"png-{'-'.join(field)}", png(ihdr(1, 1, **field), idat)
    yield "png-no-ihdr", png(idat)
    yield "png-two-ihdr", png(ihdr(1, 1), ihdr(SIDE, SIDE), idat)
    yield "png-no-idat", png(ihdr(4, 4))
    yield "png-palette-missing", png(ihdr(1, 1, colour=3), chunk(b"IDAT", zlib.compress(b"\0\0")))
    yield "png-chunk-of-4-gb", PNG + ihdr(1, 1) + b"\xff\xff\xff\xffIDAT" + bytes(100)
    yield "png-frames", png(ihdr(1, 1), chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), idat)
    yield (
        "png-frame-outside",
        png(
            ihdr(1, 1),
            chunk(b"acTL", struct.pack(">II", 2, 0)),
            chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2**31, 2**31, 2**31, 2**31, 0, 0, 9, 9)),
            idat,
            chunk(b"fdAT", bytes(4)),
        ),
    )

    jpeg = saved("JPEG", Image.fromarray(PIXELS).convert("L"))
    for width, height in ((0, 0), (0, 8), (8, 0), (65_535, 65_535), (SIDE, SIDE), (1, 65_535)):
        yield f"jpeg-{width}x{height}", with_sof(jpeg, sof(width, height))
    for marker in (*range(0xC1, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)):
        yield f"jpeg-sof-{marker:x}", with_sof(jpeg, sof(128, 96, marker))
    for precision in (0, 1, 12, 16, 255):
        yield f"jpeg-{precision}-bits", with_sof(jpeg, sof(128, 96, precision=precision))
    for count in (0, 2, 4, 5, 84):
        components = bytes(value for i in range(count) for value in (i + 1, 0x11, 0))
        yield f"jpeg-{count}-components", with_sof(jpeg, sof(128, 96, components=components))
    for sampling in (0x00, 0x0F, 0xFF, 0x41):
        yield f"jpeg-sampling-{sampling:02x}", with_sof(jpeg, sof(128, 96, components=bytes([1, sampling, 0])))
    yield "jpeg-two-frames", with_sof(jpeg, sof(128, 96) + sof(SIDE, SIDE))
    yield "jpeg-no-tables", b"\xff\xd8" + sof(64, 64) + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\0\xff\xd9"

    vp8l, vp8 = saved("WEBP", lossless=True)[20:], saved("WEBP")[20:]
    yield "webp-canvas-of-nothing", riff(vp8x(SIDE, SIDE))
    yield "webp-canvas-too-large", riff(vp8x(2**24, 2**24), (b"VP8L", vp8l))
    yield "webp-small-canvas-large-frame", riff(vp8x(1, 1), (b"VP8L", vp8l))
    yield "webp-large-canvas-small-frame", riff(vp8x(SIDE, SIDE), (b"VP8 ", vp8))
    yield "webp-vp8l-16384", riff((b"VP8L", b"\x2f" + b"\xff" * 4 + bytes(20)))
    yield "webp-vp8-0x0", riff((b"VP8 ", vp8[:6] + bytes(4) + vp8[10:]))
    for size in (0, 1, 2**31, 2**32 - 1):
        yield f"webp-riff-{size}", b"RIFF" + struct.pack("<I", size) + saved("WEBP")[8:]
    yield "webp-exif-nonsense", riff(vp8x(128, 96, 8), (b"VP8 ", vp8), (b"EXIF", b"II*\0" + b"\xff" * 99))


def bombs() -> Files:
    """Little to send, much to decode."""
    black = chunk(b"IDAT", zeros(SIDE * (1 + 3 * SIDE)))
    yield "png-black", png(ihdr(SIDE, SIDE), black)
    yield "png-16-bit-alpha", png(ihdr(SIDE, SIDE, 16, 6), chunk(b"IDAT", zeros(SIDE * (1 + 8 * SIDE))))
    yield "png-more-than-it-says", png(ihdr(8, 8), black)
    yield "png-less-than-it-says", png(ihdr(SIDE, SIDE), chunk(b"IDAT", zeros(1000)))
    yield "png-just-too-large", png(ihdr(7072, 7072), black)
    text = zeros(200 * 2**20)
    one = ihdr(1, 1), chunk(b"IDAT", zlib.compress(bytes(4)))
    yield "png-text", png(one[0], chunk(b"zTXt", b"a\0\0" + text), one[1])
    yield "png-texts", png(one[0], *[chunk(b"zTXt", b"a\0\0" + text)] * 40, one[1])
    yield "png-profile", png(one[0], chunk(b"iCCP", b"a\0\0" + text), one[1])
    yield "png-chunks", png(one[0], chunk(b"tEXt", b"") * 300_000, one[1])
    yield "jpeg-scans", scans(SIDE, SIDE, 5000)
    yield "jpeg-as-many-scans-as-allowed", scans(SIDE, SIDE, 99)
    yield "jpeg-segments", b"\xff\xd8" + segment(0xFE, b"") * 1_000_000 + saved("JPEG")[2:]
    yield "jpeg-padding", b"\xff\xd8" + b"\xff" * 4_000_000 + saved("JPEG")[3:]
    yield "jpeg-restarts", saved("JPEG")[:-2] + b"\xff\xd0" * 1_000_000 + b"\xff\xd9"
    yield "webp-black", saved("WEBP", Image.new("RGB", (SIDE, SIDE)), lossless=True, method=0)
    yield "webp-chunks", riff(vp8x(1, 1), *[(b"JUNK", b"")] * 300_000)


def types() -> Files:
    """Files that are no JPEG, PNG or WebP, under any name."""
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "JPEG2000", "PDF", "DDS", "ICNS"):
        yield kind.lower(), saved(kind)
    yield from {
        "empty": b"",
        "byte": b"\xff",
        "text": b"hello, world",
        "html": b"<!doctype html><script>alert(1)</script>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/secret"/></svg>',
        "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(24),
        "avif": b"\0\0\0\x1cftypavif" + bytes(100),
        "zip": b"PK\x03\x04" + bytes(100),
        "elf": b"\x7fELF" + bytes(100),
        "postscript": b"%!PS-Adobe-3.0\n(/etc/passwd) run",
        "imagemagick": b"push graphic-context\nfill 'url(https://example.com/image.jpg\"|ls\")'",
        "json": b'{"image": "/9j/4AAQ"}',
        "url": b"https://example.com/photo.jpg",
        "mng": b"\x8aMNG\r\n\x1a\n" + bytes(40),
        "jpeg-ls": b"\xff\xd8\xff\xf7" + bytes(40),
    }.items()


def polyglots() -> Files:
    """Sound images that are something else as well."""
    script = b"<script>alert(document.domain)</script>"
    archive = b"PK\x05\x06" + bytes(18)
    for name, data in sound().items():
        for tail, appended in {
            "html": script,
            "zip": archive,
            "jpeg": saved("JPEG"),
            "zeros": bytes(10**6),
        }.items():
            yield f"{name}-then-{tail}", data + appended
    yield "gif-then-jpeg", b"GIF89a" + saved("JPEG")
    yield "jpeg-comment", saved("JPEG", comment=script)
    yield "jpeg-in-jpeg", saved("JPEG")[:-2] + saved("JPEG")
    yield "png-text", saved("PNG")[:33] + chunk(b"tEXt", b"Comment\0" + script) + saved("PNG")[33:]
    yield "webp-script", riff((b"VP8 ", saved("WEBP")[20:]), (b"XMP ", script))


def modes() -> Files:
    """Every way to store colours that Pillow can write, and shapes at the edge."""
    base = Image.fromarray(PIXELS)
    for kind, names in {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
        "WEBP": ("L", "RGB", "RGBA"),
    }.items():
        for mode in names:
            image = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257) if mode == "I;16" else base.convert(mode)
            yield f"{kind.lower()}-{mode.replace(';', '-')}", saved(kind, image)
        for size in ((1, 1), (1, 16_383), (16_383, 1), (3, 5)):
            yield f"{kind.lower()}-{size[0]}x{size[1]}", saved(kind, Image.new("RGB", size, (200, 20, 20)))
    for size in ((1, 65_500), (65_500, 1)):
        yield f"jpeg-{size[0]}x{size[1]}", saved("JPEG", Image.new("L", size))
    for size in ((1, 1_000_000), (1_000_000, 1), (70_000, 700)):
        yield f"png-{size[0]}x{size[1]}", saved("PNG", Image.new("L", size))
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield f"jpeg-{subsampling.replace(':', '')}", saved("JPEG", subsampling=subsampling)


KINDS: dict[str, Callable[[], Files]] = {
    made.__name__: made for made in (truncated, flipped, headers, bombs, types, polyglots, modes)
}


def main(folder: Path, *kinds: str) -> None:
    """Write the files of these kinds, or of all, as ``folder/kind/name``."""
    for kind in kinds or KINDS:
        (folder / kind).mkdir(parents=True)
        for name, data in KINDS[kind]():
            (folder / kind / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
