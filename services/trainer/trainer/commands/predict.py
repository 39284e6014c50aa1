"""``python -m trainer predict``: segment images, videos and what a camera sees, without serving."""

import argparse
from pathlib import Path

from trainer.commands.network_arguments import add_model, add_views, open_segmenter, views_of
from trainer.commands.quiet import import_tensorflow
from trainer.errors import UserError

_FAULTS_SAID = 20

SUMMARY = "segment images, videos or what a camera sees"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``predict``."""
    add_model(parser)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="an image, a video, a folder, or a camera's number")
    parser.add_argument(
        "--output", type=Path, required=True, help="the results' folder, or the file of a single input's result"
    )
    parser.add_argument(
        "--show",
        choices=["overlay", "contours", "mask", "color"],
        default="overlay",
        help="colours over the image, outlines, class ids as an indexed PNG, or colours alone (default: %(default)s)",
    )
    parser.add_argument(
        "--alpha", type=float, default=0.5, help="how opaque an overlay's colours are, 0 to 1 (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that are there")
    parser.add_argument("--seconds", type=float, help="of a camera: end by itself after so long")
    add_views(parser)


def run(options: argparse.Namespace) -> None:
    """Run ``predict``."""
    from trainer.prediction.inputs import plan
    from trainer.prediction.look import Look

    look = Look(options.show, options.alpha)
    jobs = plan(options.inputs, options.output, look, options.overwrite)
    if options.seconds is not None and (jobs.camera is None or not options.seconds > 0):
        raise UserError(f"--seconds {options.seconds:g}: expected more than 0, and a camera's number as the input")
    views = views_of(options)
    import_tensorflow()
    from trainer.prediction.images import predict_images
    from trainer.prediction.videos import camera, predict_video, record

    faults: list[str] = []
    with open_segmenter(options) as segmenter:
        if jobs.images:
            faults += predict_images(segmenter, jobs.images, look, views, options.batch_size)
        for job in jobs.videos:
            fault = predict_video(segmenter, job, look, views, options.batch_size)
            faults += [fault] if fault else []
        if jobs.camera is not None and jobs.recording is not None:
            with camera(jobs.camera) as capture:
                frames = record(segmenter, capture, jobs.recording, look, views, options.seconds)
            print(f"{frames} frames segmented: {jobs.recording}")
            return
    total = len(jobs.targets)
    print(f"{total - len(faults)} of {total} segmented: {options.output}")
    if faults:
        said = "".join(f"\n  {fault}" for fault in faults[:_FAULTS_SAID])
        more = f"\n  … and {len(faults) - _FAULTS_SAID} more" if len(faults) > _FAULTS_SAID else ""
        raise UserError(f"{len(faults)} of {total} could not be read whole:{said}{more}")
