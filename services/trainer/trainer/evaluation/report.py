"""A report of an evaluation: a folder with one page for a browser, the same as Markdown, and the results as JSON.

::

    report.html     everything in one file, images included
    report.md       the same, with images as files
    metrics.json    the results, as `evaluate --json` prints them
    worst/          the images with the lowest scores
    images/         `--visualize`: images from all over the split
"""

import base64
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from trainer.errors import require_absent
from trainer.evaluation.comparison import Comparison, jpeg, side_by_side
from trainer.evaluation.results import to_json
from trainer.metrics.metric import Metric, format_value

_MOST_CONFUSIONS, _LEAST_FRACTION = 10, 0.001


def write_report(
    folder: Path,
    results: Mapping[str, Any],
    metrics: Sequence[Metric],
    worst: Iterable[Comparison],
    images: Iterable[Comparison],
) -> None:
    """Write the new folder ``folder``, which appears only once it is complete.

    Args:
        folder: must not exist.
        results: from :func:`trainer.evaluation.results.results_of`.
        metrics: whose values ``results`` has, in the report's order.
        worst: the worst images, the worst first.
        images: more images; read one by one and not held in memory, so there may be many.
    """
    require_absent(folder, "--report")
    staged = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(staged, ignore_errors=True)  # of a report that was killed
    try:
        staged.mkdir(parents=True)
        (staged / "metrics.json").write_text(to_json(results), encoding="utf-8")
        panels = staged / "panels"  # until they are in the page
        shown = {
            name: [_save(staged / name, panels / name, place, one) for place, one in enumerate(some, start=1)]
            for name, some in (("worst", worst), ("images", images))
        }
        context = {"results": results, "metrics": metrics, "confusions": _confusions(results), **shown}
        for name in ("report.html", "report.md"):
            _templates().get_template(f"{name}.j2").stream(context).dump(str(staged / name), "utf-8")
        shutil.rmtree(panels, ignore_errors=True)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _save(folder: Path, panels: Path, place: int, one: Comparison) -> dict[str, Any]:
    """Write the panels side by side into ``folder``, and each into ``panels``; return what the pages need."""
    folder.mkdir(exist_ok=True)
    panels.mkdir(parents=True, exist_ok=True)
    path = folder / f"{place:03d}_{one.id.replace('/', '_')}.jpg"
    path.write_bytes(jpeg(side_by_side(one.panels)))
    alone = {title: panels / f"{place:03d}_{title}.jpg" for title in one.panels}
    for title, panel in one.panels.items():
        alone[title].write_bytes(jpeg(panel))
    return {"id": one.id, "miou": one.miou, "file": f"{folder.name}/{path.name}", "panels": alone}


def _confusions(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Which classes are most often confused: the largest fractions of a label's pixels off the diagonal."""
    names = [c["name"] for c in results["classes"]]
    found = [
        {"label": names[row], "prediction": names[column], "fraction": count / sum(counts), "pixels": count}
        for row, counts in enumerate(results["confusion"])
        for column, count in enumerate(counts)
        if row != column and count >= _LEAST_FRACTION * sum(counts) > 0
    ]
    return sorted(found, key=lambda one: -one["fraction"])[:_MOST_CONFUSIONS]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["value"] = format_value
    environment.filters["base64"] = lambda panel: base64.b64encode(panel.read_bytes()).decode()
    # A bar would end a cell of a Markdown table.
    environment.filters["cell"] = lambda words: str(words).replace("|", "\\|")
    return environment
