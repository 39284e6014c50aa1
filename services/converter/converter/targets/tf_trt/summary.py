"""What the card and the report contain about a TF-TRT conversion."""

from typing import Mapping, Sequence

from converter.arguments import Options
from converter.target import Section, Summary, Table
from converter.targets.tf_trt.engines import MINIMUM_SEGMENT_SIZE, EngineSummary
from converter.targets.tf_trt.runtime import Runtime

# TensorFlow 2.6's TF-TRT logs no reasons; these are known.
_KNOWN_REASONS = {"Cast": "TensorRT computes no uint8: one for the pixels, one for the class ids"}


def summarize(
    options: Options, machine: Runtime, engines: Mapping[str, EngineSummary], notes: Mapping[str, Sequence[str]]
) -> Summary:
    """Summarize a conversion or a dry run.

    Args:
        options: what was converted.
        machine: what engines were built with, or would be.
        engines: by signature.
        notes: what was rewritten, by signature.
    """
    rewritten = tuple(f"{name}: {note}" if len(notes) > 1 else note for name, lines in notes.items() for note in lines)
    return Summary(
        facts={
            "engines": {name: each.engines for name, each in engines.items()},
            "left_outside": {name: each.outside for name, each in engines.items()},
            "rewritten": list(rewritten),
            "batch_sizes": list(options.batch_sizes),
            "workspace_mb": options.workspace_mb,
            "minimum_segment_size": MINIMUM_SEGMENT_SIZE,
            "gpu": machine.gpu,
            "compute_capability": machine.compute_capability,
            "driver": machine.driver,
        },
        frameworks={"tensorflow": machine.tensorflow, "tensorrt": machine.tensorrt},
        sections=(
            *(_engines(name, each) for name, each in engines.items()),
            *([Section("Rewritten for TensorRT", items=rewritten)] if rewritten else []),
            _versions(options, machine),
        ),
    )


def _engines(signature: str, summary: EngineSummary) -> Section:
    engines = tuple((engine["name"], str(engine["nodes"])) for engine in summary.engines)
    outside = tuple(
        (operation, str(count), "; ".join(summary.reasons.get(operation, [_KNOWN_REASONS.get(operation, "")])))
        for operation, count in summary.outside.items()
    )
    return Section(
        f"Engines of {signature}: {len(summary.engines)}",
        (Table(("engine", "operations"), engines), Table(("left to TensorFlow", "count", "reason"), outside)),
    )


def _versions(options: Options, machine: Runtime) -> Section:
    rows = [("TensorFlow", machine.tensorflow), ("TensorRT", machine.tensorrt), ("GPU", machine.gpu or "none")]
    if machine.gpu is not None:
        rows += [
            ("compute capability", machine.compute_capability or "unknown"),
            ("driver", machine.driver or "unknown"),
        ]
    rows += [
        ("batch sizes", ", ".join(map(str, options.batch_sizes))),
        ("workspace", f"{options.workspace_mb} MiB"),
    ]
    return Section("Converted with", (Table(("", ""), tuple(rows)),))
