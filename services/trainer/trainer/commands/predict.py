"""``segstack predict``: segment images, videos and a camera's frames, without serving."""

import argparse
from pathlib import Path

from trainer.commands.network_arguments import add_model, add_tta, open_segmenter, tta_of
from trainer.commands.shared import import_tensorflow
from trainer.errors import UserError

_FAULTS_PRINTED = 20

_FORMS = ("overlay", "contours", "mask", "color")

SUMMARY = "segment images, videos or a camera's frames"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``predict``."""
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="an image, a video, a folder, or a camera's number")
    add_model(parser)
    parser.add_argument(
        "--output", type=Path, required=True, help="the results' folder, or the file of a single input's result"
    )
    parser.add_argument(
        "--form",
        choices=_FORMS,
        default="overlay",
        help="colours over the image, outlines, class ids as an indexed PNG, or colours alone (default: %(default)s)",
    )
    parser.add_argument("--show", dest="form", choices=_FORMS, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument(
        "--alpha", type=float, default=0.5, help="how opaque an overlay's colours are, 0 to 1 (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument("--seconds", type=float, help="of a camera: how long to record (default: until Ctrl-C)")
    add_tta(parser)


def run(options: argparse.Namespace) -> None:
    """Run ``predict``."""
    from trainer.prediction.inputs import plan
    from trainer.prediction.render_style import RenderStyle

    style = RenderStyle(options.form, options.alpha)
    jobs = plan(options.inputs, options.output, style, options.overwrite)
    if options.seconds is not None and (jobs.camera is None or not options.seconds > 0):
        raise UserError(f"--seconds {options.seconds:g}: expected more than 0, and a camera's number as the input")
    tta = tta_of(options)
    import_tensorflow()
    from trainer.prediction.predict_images import predict_images
    from trainer.prediction.predict_videos import camera, predict_video, record

    faults: list[str] = []
    with open_segmenter(options) as segmenter:
        if jobs.images:
            faults += predict_images(segmenter, jobs.images, style, tta, options.batch_size)
        for job in jobs.videos:
            fault = predict_video(segmenter, job, style, tta, options.batch_size)
            faults += [fault] if fault else []
        if jobs.camera is not None and jobs.recording is not None:
            with camera(jobs.camera) as capture:
                frames = record(segmenter, capture, jobs.recording, style, tta, options.seconds)
            print(f"{frames} frames segmented: {jobs.recording}")
            return
    total = len(jobs.targets)
    print(f"{total - len(faults)} of {total} segmented: {options.output}")
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults[:_FAULTS_PRINTED])
        more = f"\n  … and {len(faults) - _FAULTS_PRINTED} more" if len(faults) > _FAULTS_PRINTED else ""
        raise UserError(f"{len(faults)} of {total} could not be read in full:{listed}{more}")
