"""The report of a conversion, in Markdown: for the user who decides whether to serve the result."""

from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Sequence

from contract.durable import replace_file
from converter.proof.outcome import Outcome
from converter.target import Section

if TYPE_CHECKING:
    from converter.proof.comparison import Proof

FILE_NAME = "report.md"
WORST_IMAGE_NAME = "worst.png"

_WORST_IMAGES = 5
_CHANGES = 5


def render(outcome: Outcome) -> str:
    """The report; it links to ``worst.png`` in the same folder if masks differ."""
    sections = [_head(outcome)]
    if outcome.proof:
        sections += [_agreement(outcome, outcome.proof)]
        if not all(fraction == 1 for fraction in outcome.proof.agreement.fractions):
            sections += [_differences(outcome, outcome.proof)]
    sections += [*_speed_and_size(outcome)]
    for section in outcome.summary.sections:
        sections += [*_lines(section)]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def write(folder: Path, outcome: Outcome) -> Path:
    """Write the report and the drawing of the worst image into a folder; returns the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    if outcome.proof:
        (folder / WORST_IMAGE_NAME).write_bytes(outcome.proof.worst_image)
    replace_file(folder / FILE_NAME, render(outcome))
    return folder / FILE_NAME


def _head(outcome: Outcome) -> List[str]:
    options = outcome.options
    lines = [f"# {options.source} to {options.precision}{': a dry run' if options.dry_run else ''}", ""]
    if outcome.proof is None:
        return [*lines, "The masks were not compared: that needs TensorFlow, which is not installed here."]
    kept = f"{percent(outcome.proof.fraction)} of pixels keep their class; required: {percent(options.min_agreement)}"
    if options.dry_run:
        lines += [
            f"The rewritten graph, run by TensorFlow, {'agrees' if outcome.agrees else '**does not agree**'} with its "
            f"source: {kept}. No engines were built, so their rounding is not included."
        ]
    elif outcome.agrees:
        lines += [f"**Published** as {options.name}." if options.output is None else "**Written**.", f"{kept}."]
    else:
        lines += [f"**Not published**: {kept}."]
    if outcome.proof.images.synthetic:
        lines += [
            "",
            f"**Compared on {len(outcome.proof.expected)} synthetic images, not on photographs**: noise with the "
            "spectrum of natural images. It shows that the graph computes the same, but little about real images. "
            "Pass photographs with `--images`.",
        ]
    return lines


def _agreement(outcome: Outcome, proof: "Proof") -> List[str]:
    agreement, interface = proof.agreement, proof.interface
    batch_sizes = ", ".join(map(str, proof.batch_sizes))
    lines = [
        "## Masks",
        "",
        f"{len(proof.expected)} images from `{proof.images.origin}`, {interface.height}x{interface.width}, at batch "
        f"sizes {batch_sizes}. mIoU between source and result: {agreement.miou:.4f}.",
    ]
    if interface.dtype != "uint8":
        lines += [f"`{interface.input}` takes {interface.dtype}: pixels were scaled to -1..1."]
    lines += [
        f"The masks of `{name}`, which has its own engines: {percent(other.fraction)} of pixels keep their class."
        for name, other in proof.others.items()
    ]
    pixels = agreement.confusion.sum(1)
    rows = [
        (outcome.class_name(i), f"{iou:.4f}", f"{percent(pixels[i] / pixels.sum())}")
        for i, iou in enumerate(agreement.iou)
        if iou == iou  # not NaN: in at least one of them
    ]
    return [*lines, "", *_table(("class", "IoU", "of the source's pixels"), rows)]


def _differences(outcome: Outcome, proof: "Proof") -> List[str]:
    agreement = proof.agreement
    worst = sorted(range(len(agreement.fractions)), key=agreement.fractions.__getitem__)[:_WORST_IMAGES]
    changes = agreement.changes()[:_CHANGES]
    return [
        "## Where they differ",
        "",
        *_table(("image", "agreement"), [(proof.names[i], percent(agreement.fractions[i])) for i in worst]),
        "",
        *_table(
            ("class in the source", "class in the result", "pixels"),
            [(outcome.class_name(was), outcome.class_name(became), str(pixels)) for was, became, pixels in changes],
        ),
        "",
        f"![{proof.names[agreement.worst]}: image, source's mask, result's mask, differences in red]"
        f"({WORST_IMAGE_NAME})",
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
            "Median wall-clock times after warm-up, measured alternately, including the copies of pixels and masks.",
            "",
            *_table(("batch size", "source", "converted", "speed-up"), rows),
        ]
    if outcome.converted_bytes is not None:
        yield [f"Size: source {_mib(outcome.source_bytes)}, converted {_mib(outcome.converted_bytes)}."]


def _lines(section: Section) -> Iterator[List[str]]:
    yield [f"## {section.title}"]
    for table in section.tables:
        yield _table(table.head, table.rows)
    yield [f"- {item}" for item in section.items]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    if not rows:
        return []
    return [
        "| {} |".format(" | ".join(cell.replace("|", "\\|") for cell in row))
        for row in (head, ["---"] * len(head), *rows)
    ]


def percent(fraction: float) -> str:
    """Rounded down, so that only 1 gives 100 %."""
    return f"{int(fraction * 1e5 + 1e-6) / 1e3:.3f} %"  # the float 0.57 is slightly less than 57 %


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
