"""The dry run as a whole: engines counted in an environment of its own, rewritten masks compared in this one."""

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

from contract import SERVING_DEFAULT
from converter.arguments import Options
from converter.proof.outcome import Outcome, size_bytes
from converter.targets.tf_trt import dry_run
from converter.targets.tf_trt.runtime import Runtime

if TYPE_CHECKING:
    from converter.proof.comparison import Proof


def run(options: Options) -> Outcome:
    """Convert without a GPU, build and publish nothing, and compare what can be: the rewritten graph with its source.

    Raises:
        ConverterError: it cannot be converted, or the dry run's environment cannot be made.
    """
    signature, proof = _compared(options) if find_spec("tensorflow") else (SERVING_DEFAULT, None)
    wanted = (signature, *options.signatures[1:])
    converted = {name: dry_run.run(options, name) for name in wanted}
    first = converted[signature]
    return Outcome(
        options=options,
        machine=Runtime(first.tensorflow, first.tensorrt),
        engines={name: each.engines for name, each in converted.items()},
        rewritten=tuple(
            f"{name}: {note}" if len(wanted) > 1 else note for name, each in converted.items() for note in each.notes
        ),
        proof=proof,
        source_bytes=size_bytes(options.source.folder),
    )


def _compared(options: Options) -> Tuple[str, Optional["Proof"]]:
    from converter import images
    from converter.proof import masks
    from converter.proof.comparison import prove
    from converter.targets.tf_trt.rewrites import rewrite_saved_model

    interface = masks.of_source(options)
    compared, _ = images.choose(options)
    with tempfile.TemporaryDirectory(prefix="converter-") as scratch:
        rewritten = Path(scratch, "rewritten")
        rewrite_saved_model(options.source.folder, rewritten, interface.signature, options.image_size)
        proof = prove(
            *(options.source.folder, rewritten, interface, compared, options.batch_sizes, options.source.card),
            signature=SERVING_DEFAULT,
            timed=False,
        )
    return interface.signature, proof
