"""Images, segmented and written."""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from contract.durable import replacing
from trainer.datasets.drawing import Image
from trainer.errors import UserError
from trainer.inference.segment import batches, segment
from trainer.inference.segmenter import Masks, Segmenter
from trainer.inference.tta import TestTimeAugmentation
from trainer.prediction.inputs import Job
from trainer.prediction.render_style import RenderStyle, encode
from trainer.progress import in_threads, progress
from trainer.sources.images import decode_upright


def predict_images(
    segmenter: Segmenter, jobs: Sequence[Job], style: RenderStyle, tta: TestTimeAugmentation, batch_size: int = 8
) -> list[str]:
    """Segment every image, rotated by its EXIF orientation, at its own size.

    Returns:
        The reasons why some could not be read; all others are done.
    """
    faults: list[str] = []

    def write(found: tuple[Job, Image, Masks]) -> None:
        job, image, mask = found
        drawn = style.draw(image, mask, segmenter.card.classes)
        _write(job.target, encode(drawn, job.target.suffix, segmenter.card.classes))

    with (
        progress(None, "segmenting", "image", total=len(jobs)) as bar,
        closing(_masks(segmenter, jobs, tta, batch_size, faults)) as masks,
        closing(in_threads(write, masks)) as written,
    ):
        for _ in written:
            bar.update()
        bar.update(len(faults))
    return faults


def _masks(
    segmenter: Segmenter, jobs: Sequence[Job], tta: TestTimeAugmentation, batch_size: int, faults: list[str]
) -> Generator[tuple[Job, Image, Masks]]:
    with closing(in_threads(_read, jobs)) as found:
        for batch in batches(_readable(found, faults), batch_size):
            masks = segment(segmenter, [image for _, image in batch], tta, batch_size)
            yield from ((job, image, mask) for (job, image), mask in zip(batch, masks, strict=True))


def _read(job: Job) -> tuple[Job, Image | str]:
    """The image, RGB, or why it cannot be read."""
    try:
        upright = decode_upright(job.source.read_bytes(), str(job.source))
    except OSError as error:
        return job, f"{job.source}: cannot be read ({error.strerror})"
    except UserError:
        return job, f"{job.source}: cannot be decoded as an image"
    return job, np.asarray(cv2.cvtColor(upright, cv2.COLOR_BGR2RGB), np.uint8)


def _readable(found: Generator[tuple[Job, Image | str]], faults: list[str]) -> Generator[tuple[Job, Image]]:
    for job, image in found:
        if isinstance(image, str):
            faults.append(image)
        else:
            yield job, image


def _write(path: Path, data: bytes) -> None:
    """Write atomically: an interrupt leaves no half-written image under the result's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, durable=False) as staged:
        staged.write_bytes(data)
