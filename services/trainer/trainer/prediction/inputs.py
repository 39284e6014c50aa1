"""Which files are segmented and where the results go, planned before anything is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.errors import UserError
from trainer.prediction.render_style import RenderStyle
from trainer.sources.images import IMAGE_SUFFIXES

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts"})
WRITTEN_VIDEOS = frozenset({".mp4", ".avi"})


@dataclass(frozen=True)
class Job:
    """A file to read and the file to write."""

    source: Path
    target: Path


@dataclass
class Jobs:
    """All inputs and outputs; ``camera`` is an index, and its video is written to ``recording``."""

    images: list[Job] = field(default_factory=list)
    videos: list[Job] = field(default_factory=list)
    camera: int | None = None
    recording: Path | None = None

    @property
    def targets(self) -> list[Path]:
        """Every file to be written."""
        return [job.target for job in (*self.images, *self.videos)] + ([self.recording] if self.recording else [])


def plan(inputs: Sequence[str], output: Path, style: RenderStyle, overwrite: bool = False) -> Jobs:
    """Find the images and videos that ``inputs`` name: files, folders with everything below, or a camera's number.

    Files below ``output`` are left out of a folder: results of one call are not inputs of the next.

    Args:
        inputs: as given on the command line.
        output: a folder, or the file for a single image, video or camera.
        style: decides on the results' formats.
        overwrite: replace existing results.

    Raises:
        UserError: an input is no image or video, two results have one name, or a result exists already.
    """
    if len(inputs) == 1 and inputs[0].isdigit() and not Path(inputs[0]).exists():
        is_file = output.suffix.lower() in WRITTEN_VIDEOS
        recording = output if is_file else output / f"camera_{inputs[0]}.mp4"
        jobs = Jobs(camera=int(inputs[0]), recording=recording)
    else:
        jobs = _files([Path(name) for name in inputs], output, style)
    if jobs.camera is not None or jobs.videos:
        style.require_for_video()
    _require_free(jobs, overwrite)
    return jobs


def _files(inputs: Sequence[Path], output: Path, style: RenderStyle) -> Jobs:
    jobs = Jobs()
    alone = len(inputs) == 1 and inputs[0].is_file() and bool(output.suffix) and not output.is_dir()
    if not alone and output.is_file():
        raise UserError(f"--output {output} is a file: expected a folder for these results")
    results = output.resolve()
    for path in inputs:
        if path.is_dir():
            below = [p for p in sorted(path.rglob("*")) if p.is_file() and _is_known(p)]
            if path.resolve() in results.parents:
                below = [p for p in below if results not in p.resolve().parents]
            found = [(p, p.relative_to(path)) for p in below]
            if not found:
                raise UserError(f"{path}: contains no image or video; expected {', '.join(sorted(IMAGE_SUFFIXES))}, …")
        elif path.is_file() and _is_known(path):
            found = [(path, Path(path.name))]
        elif path.is_file():
            raise UserError(f"{path}: its name is neither an image's nor a video's")
        elif str(path).isdigit():
            raise UserError(f"{path}: a camera is recorded alone; name no other input with its number")
        else:
            raise UserError(f"{path}: no such file or folder; expected images, videos, folders or a camera's number")
        for source, name in found:
            is_image = source.suffix.lower() in IMAGE_SUFFIXES
            target = output if alone else output / name.with_suffix(style.suffix(source, is_image))
            if alone:
                _check_format(target, style, is_image)
            (jobs.images if is_image else jobs.videos).append(Job(source, target))
    return jobs


def _is_known(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES


def _check_format(target: Path, style: RenderStyle, is_image: bool) -> None:
    fit = style.image_suffixes if is_image else WRITTEN_VIDEOS
    if target.suffix.lower() not in fit:
        raise UserError(f"--output {target}: expected a folder, or a name that ends in {', '.join(sorted(fit))}")


def _require_free(jobs: Jobs, overwrite: bool) -> None:
    sources = {job.source.resolve() for job in (*jobs.images, *jobs.videos)}
    by_target: dict[Path, Path] = {}
    for job in (*jobs.images, *jobs.videos):
        other = by_target.setdefault(job.target, job.source)
        if other is not job.source:
            raise UserError(f"{other} and {job.source} would both become {job.target}: segment them into two folders")
    for target in jobs.targets:
        if target.resolve() in sources:
            raise UserError(f"{target} is an input: name another --output; inputs are never overwritten")
    existing = [target for target in jobs.targets if target.exists()]
    if existing and not overwrite:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise UserError(f"{existing[0]}{more} already: name another --output, or add --overwrite to replace them")
