"""``segstack data synthesize``: a small labelled set of drawn objects on real photographs, in CVAT's export layout.

With it everything from labels to a served model can be tried without data. It is written exactly as CVAT's
"Segmentation mask 1.1" export of a job, including frames without a mask, and read only by the importer. The
photographs are those inside scikit-image; one is held out of the set for the demonstration scene.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from trainer.datasets.class_colors import voc_color
from trainer.errors import UserError, require_empty
from trainer.progress import progress
from trainer.sources.drawn.objects import CLASSES, DrawnClass, Image, draw_object

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "chelsea", "coins", "grass", "gravel", "hubble_deep_field", "moon",
    "motorcycle_left", "retina", "rocket",
)  # fmt: skip
HELD_OUT_PHOTOGRAPH = "coffee"

_EMPTY_FRACTION = 0.1
_MAX_OBJECTS = 4
_MIN_SIDE = 32  # the smallest input of the networks
_JPEG_QUALITY = 92


def synthesize(output: Path, images: int, height: int, width: int, seed: int) -> None:
    """Write ``images`` labelled frames of ``height`` x ``width`` pixels to the folder ``output``.

    The same seed gives the same set.

    Raises:
        UserError: ``output`` is not empty, the size or the seed is too small, or scikit-image is missing.
    """
    if images < 1 or min(height, width) < _MIN_SIDE:
        raise UserError(
            f"{images} images of {height}x{width}: expected at least one, {_MIN_SIDE}x{_MIN_SIDE} or larger"
        )
    if seed < 0:
        raise UserError(f"--seed {seed}: expected 0 or more")
    require_empty(output)
    photographs = [_photograph(name) for name in PHOTOGRAPHS]
    temporary = output.with_name(f".tmp-{output.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"):
        (temporary / folder).mkdir(parents=True)

    names = [f"frame_{number:06d}" for number in range(images)]
    for number, name in enumerate(progress(names, "drawing", "image")):
        rng = np.random.default_rng([seed, number])
        background = _background(photographs[rng.integers(len(photographs))], height, width, rng)
        count = 0 if rng.random() < _EMPTY_FRACTION else int(rng.integers(1, _MAX_OBJECTS + 1))
        kinds = [CLASSES[i] for i in rng.integers(len(CLASSES), size=count)]
        image, classes, instances = _compose(background, kinds, rng)
        _write_rgb(temporary / "JPEGImages" / f"{name}.jpg", image)
        if kinds:  # CVAT lists a frame without annotations and writes no PNG for it
            _write_rgb(temporary / "SegmentationClass" / f"{name}.png", classes)
            _write_rgb(temporary / "SegmentationObject" / f"{name}.png", instances)
    (temporary / "ImageSets/Segmentation/default.txt").write_text("".join(f"{name}\n" for name in names))
    (temporary / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "".join(_labelmap_lines()))
    if output.exists():
        output.rmdir()
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(output)


def draw_scene(path: Path, height: int, width: int, seed: int) -> None:
    """Write one larger JPEG: one object of each class on the held-out photograph."""
    rng = np.random.default_rng(seed)
    background = cv2.resize(_crop_to(_photograph(HELD_OUT_PHOTOGRAPH), height / width), (width, height))
    image, _, _ = _compose(np.asarray(background, np.uint8), list(CLASSES), rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_rgb(path, image)


def _labelmap_lines() -> Iterator[str]:
    """CVAT sorts labels by name, so background is not the first line."""
    colors = {kind.name: kind.label_color for kind in CLASSES} | {"background": (0, 0, 0)}
    for name in sorted(colors):
        yield "{}:{},{},{}::\n".format(name, *colors[name])


def _compose(background: Image, kinds: list[DrawnClass], rng: np.random.Generator) -> tuple[Image, Image, Image]:
    """Image, class colours and instance colours, each RGB uint8 [H, W, 3]; later objects cover earlier ones."""
    image = background.copy()
    classes, instances = np.zeros_like(image), np.zeros_like(image)
    for number, kind in enumerate(kinds, start=1):
        covered = draw_object(image, kind, rng, clearance=instances.max(axis=2))
        classes[covered] = kind.label_color
        instances[covered] = voc_color(number)
    return image, classes, instances


def _background(photograph: Image, height: int, width: int, rng: np.random.Generator) -> Image:
    """A random crop, mirrored, brightened and tinted, so that few photographs give many backgrounds."""
    scale = rng.uniform(1.0, 1.8) * max(height / photograph.shape[0], width / photograph.shape[1])
    resized = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (
        rng.integers(0, max(1, have - want + 1)) for have, want in zip(resized.shape[:2], (height, width), strict=True)
    )
    crop = cv2.resize(resized[top : top + height, left : left + width], (width, height))
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    tint = rng.normal(1, 0.08, 3) * rng.uniform(0.65, 1.25)
    return np.clip(crop * tint, 0, 255).astype(np.uint8)


def _crop_to(image: Image, ratio: float) -> Image:
    """The largest centred part whose height is ``ratio`` times its width."""
    height, width = image.shape[:2]
    keep_height, keep_width = min(height, int(width * ratio)), min(width, int(height / ratio))
    top, left = (height - keep_height) // 2, (width - keep_width) // 2
    return image[top : top + keep_height, left : left + keep_width]


def _photograph(name: str) -> Image:
    """A photograph of scikit-image, RGB uint8 [H, W, 3]; only of those inside its package; nothing is downloaded."""
    try:
        from skimage import data
    except ImportError:
        raise UserError(
            "the drawn set needs the photographs of scikit-image: pip install 'scikit-image>=0.26', or run make setup"
        ) from None
    files = sorted(Path(data.__file__).parent.glob(f"{name}.*"))
    image = cv2.imread(str(files[0]), cv2.IMREAD_COLOR_RGB) if files else None
    if image is None:
        raise UserError(f"this scikit-image does not contain the photograph {name!r}: install scikit-image 0.26")
    return np.asarray(image, np.uint8)


def _write_rgb(path: Path, image: Image) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options):
        raise OSError(f"could not write {path}: is the disk full?")
