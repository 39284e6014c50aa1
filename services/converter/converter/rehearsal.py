"""The whole dry run: counts engines in a separate environment, compares the rewritten graph's masks in this one."""

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

from contract import SERVING_DEFAULT
from converter.arguments import Options
from converter.proof.outcome import Outcome, size_bytes
from converter.targets.tf_trt import dry_run
from converter.targets.tf_trt.runtime import Runtime
from converter.targets.tf_trt.summary import summarize

if TYPE_CHECKING:
    from converter.proof.comparison import Proof


def run(options: Options) -> Outcome:
    """Convert without a GPU and compare the rewritten graph with its source; no engine is built, nothing published.

    Raises:
        ConverterError: it cannot be converted, or the dry run's environment cannot be made.
    """
    signature, proof = _compare(options) if find_spec("tensorflow") else (SERVING_DEFAULT, None)
    converted = {name: dry_run.run(options, name) for name in (signature, *options.signatures[1:])}
    versions = converted[signature]
    return Outcome(
        options=options,
        summary=summarize(
            options,
            Runtime(versions.tensorflow, versions.tensorrt),
            {name: each.engines for name, each in converted.items()},
            {name: each.notes for name, each in converted.items()},
        ),
        proof=proof,
        source_bytes=size_bytes(options.source.folder),
    )


def _compare(options: Options) -> Tuple[str, Optional["Proof"]]:
    from converter import images
    from converter.interface import of_source
    from converter.proof.comparison import prove
    from converter.targets.tf_trt.rewrites import rewrite_saved_model

    interface = of_source(options)
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
