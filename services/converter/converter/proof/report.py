"""The report of a conversion, in Markdown: for the person who decides whether to serve the result."""

from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Sequence

from contract.durable import replace_file
from converter.proof.outcome import Outcome

if TYPE_CHECKING:
    from converter.proof.comparison import Proof

FILE_NAME = "report.md"
PICTURE_NAME = "worst.png"

# TensorFlow 2.6's TF-TRT gives no reasons. These are known.
_WHY = {"Cast": "TensorRT computes no uint8: one for the pixels, one for the class ids"}

_WORST_IMAGES = 5
_SWAPS = 5


def render(outcome: Outcome) -> str:
    """The whole report; it shows ``worst.png`` beside it where masks differ."""
    sections = [_head(outcome)]
    if outcome.proof:
        sections += [_agreement(outcome, outcome.proof)]
        if not all(share == 1 for share in outcome.proof.agreement.shares):
            sections += [_differences(outcome, outcome.proof)]
    sections += [*_speed_and_size(outcome), *_engines(outcome), _machine(outcome)]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def write(folder: Path, outcome: Outcome) -> Path:
    """Put the report and the picture of the worst image into a folder; returns the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    if outcome.proof:
        (folder / PICTURE_NAME).write_bytes(outcome.proof.picture)
    replace_file(folder / FILE_NAME, render(outcome))
    return folder / FILE_NAME


def _head(outcome: Outcome) -> List[str]:
    options = outcome.options
    lines = [f"# {options.source} to {options.precision}{': a dry run' if options.dry_run else ''}", ""]
    if outcome.proof is None:
        return [*lines, "The masks were not compared: there is no TensorFlow here to run both."]
    share = outcome.proof.share
    of = f"{percent(share)} of pixels keep their class; at least {percent(options.min_agreement)} have to"
    if options.dry_run:
        lines += [
            f"The rewritten graph, run by TensorFlow, {'agrees' if outcome.agrees else '**does not agree**'} with its "
            f"source: {of}. Engines were not built, so their rounding is not in this."
        ]
    elif outcome.agrees:
        lines += [f"**Published** as {options.name}." if options.output is None else "**Written**.", f"{of}."]
    else:
        lines += [f"**Not published**: {of}."]
    if outcome.proof.images.synthetic:
        lines += [
            "",
            f"**Compared on {len(outcome.proof.expected)} synthetic images, not on photographs**: noise with the "
            "spectrum of natural images. It shows that the graph is the same, and little of what the model will see. "
            "Name photographs with `--images`.",
        ]
    return lines


def _agreement(outcome: Outcome, proof: "Proof") -> List[str]:
    agreement, interface = proof.agreement, proof.interface
    lines = [
        "## Masks",
        "",
        f"{len(proof.expected)} images from `{proof.images.origin}`, {interface.height}x{interface.width}, at batch "
        f"sizes {_listed(proof.batch_sizes)}. mIoU of the two: {agreement.miou:.4f}.",
    ]
    if interface.dtype != "uint8":
        lines += [f"`{interface.input}` takes {interface.dtype}: it was given pixels as -1 to 1."]
    lines += [
        f"`{name}` has masks of its own engines: {percent(other.share)} of pixels keep their class."
        for name, other in proof.others.items()
    ]
    pixels = agreement.confusion.sum(1)
    rows = [
        (outcome.class_name(i), f"{iou:.4f}", f"{percent(pixels[i] / pixels.sum())}")
        for i, iou in enumerate(agreement.iou)
        if iou == iou  # NaN: in neither
    ]
    return [*lines, "", *_table(("class", "IoU of the two", "of the source's pixels"), rows)]


def _differences(outcome: Outcome, proof: "Proof") -> List[str]:
    agreement = proof.agreement
    worst = sorted(range(len(agreement.shares)), key=agreement.shares.__getitem__)[:_WORST_IMAGES]
    swaps = agreement.swaps()[:_SWAPS]
    return [
        "## Where they differ",
        "",
        *_table(("image", "agreement"), [(proof.names[i], percent(agreement.shares[i])) for i in worst]),
        "",
        *_table(
            ("the source says", "the result says", "pixels"),
            [(outcome.class_name(was), outcome.class_name(became), str(pixels)) for was, became, pixels in swaps],
        ),
        "",
        f"![{proof.names[agreement.worst]}: image, source's mask, result's mask, differences in red]({PICTURE_NAME})",
    ]


def _speed_and_size(outcome: Outcome) -> Iterator[List[str]]:
    if outcome.proof and outcome.proof.latencies:
        rows = [
            (
                str(latency.batch_size),
                f"{latency.source_ms:.1f} ms",
                f"{latency.converted_ms:.1f} ms",
                f"{latency.source_ms / latency.converted_ms:.2f}x",
            )
            for latency in outcome.proof.latencies
        ]
        yield [
            "## Speed",
            "",
            "Wall-clock medians after warm-up, in turn, pixels copied in and masks out.",
            "",
            *_table(("batch", "source", "converted", "faster"), rows),
        ]
    if outcome.converted_bytes is not None:
        yield [f"Size: {_mib(outcome.source_bytes)} before, {_mib(outcome.converted_bytes)} with its engines."]


def _engines(outcome: Outcome) -> Iterator[List[str]]:
    for signature, summary in outcome.engines.items():
        yield [f"## Engines of {signature}: {len(summary.engines)}"]
        yield _table(("engine", "operations"), [(engine["name"], str(engine["nodes"])) for engine in summary.engines])
        yield _table(
            ("left to TensorFlow", "how many", "why"),
            [
                (op, str(count), "; ".join(summary.reasons.get(op, [_WHY.get(op, "")])))
                for op, count in summary.outside.items()
            ],
        )
    if outcome.rewritten:
        yield ["## Rewritten for TensorRT", "", *(f"- {line}" for line in outcome.rewritten)]


def _machine(outcome: Outcome) -> List[str]:
    machine, options = outcome.machine, outcome.options
    rows = [
        ("TensorFlow", machine.tensorflow),
        ("TensorRT", machine.tensorrt),
        ("GPU", machine.gpu or "none"),
        ("compute capability", machine.compute_capability or "unknown"),
        ("driver", machine.driver or "unknown"),
        ("batch sizes", _listed(options.batch_sizes)),
        ("workspace", f"{options.workspace_mb} MiB"),
    ]
    return ["## Made with", "", *_table(("", ""), rows[:3] + rows[5:] if machine.gpu is None else rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    if not rows:
        return []
    return [
        "| {} |".format(" | ".join(cell.replace("|", "\\|") for cell in row))
        for row in (head, ["---"] * len(head), *rows)
    ]


def percent(share: float) -> str:
    """Rounded down: 100 % is said of all only."""
    return f"{int(share * 1e5 + 1e-6) / 1e3:.3f} %"  # 0.57 is a little less than that as a float


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
