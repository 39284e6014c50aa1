"""What is to be segmented and where its result goes, settled before anything is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.errors import UserError
from trainer.prediction.look import Look
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
    """Everything to do; ``camera`` is an index, and what it sees goes to ``recording``."""

    images: list[Job] = field(default_factory=list)
    videos: list[Job] = field(default_factory=list)
    camera: int | None = None
    recording: Path | None = None

    @property
    def targets(self) -> list[Path]:
        """Every file to be written."""
        return [job.target for job in (*self.images, *self.videos)] + ([self.recording] if self.recording else [])


def plan(inputs: Sequence[str], output: Path, look: Look, overwrite: bool = False) -> Jobs:
    """Find the images and videos that ``inputs`` name: files, folders with everything below, or a camera's number.

    Of a folder, what lies below ``output`` is left out: results of an earlier call are no inputs of the next.

    Args:
        inputs: as a person names them.
        output: a folder, or the file for a single image, video or camera.
        look: decides on the results' formats.
        overwrite: replace results that are there.

    Raises:
        UserError: an input that is none, two results of one name, or a result that is there already.
    """
    if len(inputs) == 1 and inputs[0].isdigit() and not Path(inputs[0]).exists():
        is_file = output.suffix.lower() in WRITTEN_VIDEOS
        recording = output if is_file else output / f"camera_{inputs[0]}.mp4"
        jobs = Jobs(camera=int(inputs[0]), recording=recording)
    else:
        jobs = _files([Path(name) for name in inputs], output, look)
    if jobs.camera is not None or jobs.videos:
        look.require_for_video()
    _check(jobs, overwrite)
    return jobs


def _files(inputs: Sequence[Path], output: Path, look: Look) -> Jobs:
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
                raise UserError(f"{path}: holds no image or video; expected {', '.join(sorted(IMAGE_SUFFIXES))}, …")
        elif path.is_file() and _is_known(path):
            found = [(path, Path(path.name))]
        elif path.is_file():
            raise UserError(f"{path}: is neither an image nor a video by its name")
        elif str(path).isdigit():
            raise UserError(f"{path}: a camera is recorded alone; name no other input beside its number")
        else:
            raise UserError(f"{path}: no such file or folder; expected images, videos, folders or a camera's number")
        for source, name in found:
            is_image = source.suffix.lower() in IMAGE_SUFFIXES
            target = output if alone else output / name.with_suffix(look.suffix(source, is_image))
            if alone:
                _check_format(target, look, is_image)
            (jobs.images if is_image else jobs.videos).append(Job(source, target))
    return jobs


def _is_known(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES


def _check_format(target: Path, look: Look, is_image: bool) -> None:
    fit = look.image_suffixes if is_image else WRITTEN_VIDEOS
    if target.suffix.lower() not in fit:
        raise UserError(f"--output {target}: expected a folder, or a name that ends in {', '.join(sorted(fit))}")


def _check(jobs: Jobs, overwrite: bool) -> None:
    sources = {job.source.resolve() for job in (*jobs.images, *jobs.videos)}
    by_target: dict[Path, Path] = {}
    for job in (*jobs.images, *jobs.videos):
        twin = by_target.setdefault(job.target, job.source)
        if twin is not job.source:
            raise UserError(f"{twin} and {job.source} would both become {job.target}: segment them into two folders")
    for target in jobs.targets:
        if target.resolve() in sources:
            raise UserError(f"{target} is an input: name another --output, nothing is written over what is read")
    there = [target for target in jobs.targets if target.exists()]
    if there and not overwrite:
        said = f"{there[0]} exists" if len(there) == 1 else f"{there[0]} and {len(there) - 1} more exist"
        raise UserError(f"{said} already: name another --output, or add --overwrite to replace them")
