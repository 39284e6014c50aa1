"""The card of a converted model."""

import dataclasses
import datetime
from typing import Any, Dict

from contract import ModelCard, __version__
from converter.arguments import Options
from converter.targets.tf_trt.runtime import Runtime


def converted_card(source: ModelCard, options: Options, runtime: Runtime, facts: Dict[str, Any]) -> ModelCard:
    """The source's card, renamed ``<name>-trt-<precision>``, with what is known of its engines and of its masks.

    The metrics are left out: they were measured on the source. Architecture, FLOPs, parameters and the weights'
    checksum are the source's, whose weights these are.

    Raises:
        CardError: a fact that JSON does not have.
    """
    return dataclasses.replace(
        source,
        name=options.name,
        precision=options.precision,
        derived_from=str(options.source),
        metrics=None,
        engine=facts,
        frameworks={"segstack": __version__, "tensorflow": runtime.tensorflow, "tensorrt": runtime.tensorrt},
        created_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )
