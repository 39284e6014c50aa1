"""``segstack models networks``: which networks there are, how large and how fast here."""

import argparse

from trainer.commands.shared import import_tensorflow
from trainer.errors import UserError
from trainer.frozen.latency import latency_of, noise
from trainer.progress import progress

# Enough for a median of a network that takes a second.
_LEAST_CALLS = 5

SUMMARY = "list the networks: parameters, GFLOPs, milliseconds measured here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``networks``."""
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="only these; keras_hub:PRESET too")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(480, 640),
        metavar=("HEIGHT", "WIDTH"),
        help="of the image, in pixels (default: 480 640)",
    )
    parser.add_argument("--classes", type=int, default=19, help="default: %(default)s")
    parser.add_argument("--no-time", action="store_true", help="do not measure")


def run(options: argparse.Namespace) -> None:
    """Run ``networks``."""
    import_tensorflow()
    from trainer.models import model_names

    names = options.networks or model_names()
    height, width = options.size
    rows = []
    with progress(names, "measuring", "network") as bar:
        for name in bar:
            bar.set_postfix_str(name)
            rows.append(_row(name, height, width, options.classes, not options.no_time))
    rows.sort(key=lambda row: row[2])
    print(f"one {height}x{width} image, {options.classes} classes, resize to its size included")
    longest = max(len(name) for name in names)
    print(f"{'':{longest}}{'parameters':>13}{'GFLOPs':>10}{'' if options.no_time else '       ms'}")
    for name, parameters, flops, milliseconds in rows:
        taken = "" if milliseconds is None else f"{milliseconds:9.1f}"
        print(f"{name:{longest}}{parameters:13,}{flops / 1e9:10.2f}{taken}")


def _row(name: str, height: int, width: int, classes: int, timed: bool) -> tuple[str, int, int, float | None]:
    """Name, trainable parameters, floating-point operations, milliseconds if timed."""
    import keras
    import numpy as np
    import tensorflow as tf

    from trainer.frozen import graph
    from trainer.models import create_model

    keras.utils.clear_session()  # frees the previous network's memory
    try:
        model = create_model(name, height, width, classes)
    except ValueError as error:
        raise UserError(str(error)) from None
    frozen = graph.freeze(model, height, width, images=1).logits
    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    image = tf.constant(noise(height, width))
    milliseconds = latency_of(lambda: frozen(image), _LEAST_CALLS).p50 if timed else None
    return name, parameters, graph.count_flops(frozen), milliseconds
