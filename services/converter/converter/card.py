"""The card of a converted model."""

import dataclasses
import datetime

from contract import ModelCard
from converter.options import Options
from converter.runtime import Runtime


def converted_card(options: Options, runtime: Runtime, engines: int, minimum_segment_size: int) -> ModelCard:
    """The source's card, renamed ``<name>-trt-<precision>``, with what is known of its engines.

    The metrics are left out: they were measured on the source. Architecture, FLOPs, parameters and the weights'
    checksum are the source's, whose weights these are.

    Raises:
        CardError: the name grows too long.
    """
    source = options.source
    return dataclasses.replace(
        source.card,
        name=f"{source.card.name}-trt-{options.precision}",
        precision=options.precision,
        derived_from=f"{source.card.name}:{source.version}",
        metrics=None,
        engine={
            "engines": engines,
            "batch_sizes": list(options.batch_sizes),
            "workspace_mb": options.workspace_mb,
            "minimum_segment_size": minimum_segment_size,
            "gpu": runtime.gpu,
        },
        frameworks={"tensorflow": runtime.tensorflow, "tensorrt": runtime.tensorrt},
        created_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )
