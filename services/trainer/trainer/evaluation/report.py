"""A report of an evaluation: a folder with one page for a browser, the same as Markdown, and the figures as JSON.

::

    report.html     everything in one file, pictures included
    report.md       the same, its pictures beside it
    metrics.json    the figures, as `evaluate --json` prints them
    worst/          the images with the lowest scores
    pictures/       `--visualize`: images from all over the split
"""

import base64
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from trainer.errors import require_absent
from trainer.evaluation.compared import Compared
from trainer.evaluation.comparison_images import jpeg, side_by_side

_MOST_CONFUSIONS, _LEAST_SHARE = 10, 0.001


def write_report(
    folder: Path, facts: Mapping[str, Any], worst: Iterable[Compared], pictures: Iterable[Compared]
) -> None:
    """Write the new folder ``folder``, which appears when all of it is there.

    Args:
        folder: does not exist yet.
        facts: of :func:`trainer.evaluation.facts.facts_of`.
        worst: the worst images, the worst first.
        pictures: more images, to look at; taken one by one and not held, so that they may be many.
    """
    require_absent(folder, "--report")
    beside = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(beside, ignore_errors=True)  # of a report that was killed
    try:
        beside.mkdir(parents=True)
        (beside / "metrics.json").write_text(to_json(facts), encoding="utf-8")
        panels = beside / "panels"  # until they are in the page
        shown = {
            name: [_save(beside / name, panels / name, place, one) for place, one in enumerate(images, start=1)]
            for name, images in (("worst", worst), ("pictures", pictures))
        }
        context = {"facts": facts, "confusions": _confusions(facts), **shown}
        for name in ("report.html", "report.md"):
            _templates().get_template(f"{name}.j2").stream(context).dump(str(beside / name), "utf-8")
        shutil.rmtree(panels, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def to_json(facts: Mapping[str, Any]) -> str:
    """The figures for machines."""
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _save(folder: Path, panels: Path, place: int, one: Compared) -> dict[str, Any]:
    """Write the panels side by side into ``folder``, and each into ``panels``; return what the pages say of them."""
    folder.mkdir(exist_ok=True)
    panels.mkdir(parents=True, exist_ok=True)
    path = folder / f"{place:03d}_{one.id.replace('/', '_')}.jpg"
    path.write_bytes(jpeg(side_by_side(one.panels)))
    alone = {title: panels / f"{place:03d}_{title}.jpg" for title in one.panels}
    for title, panel in one.panels.items():
        alone[title].write_bytes(jpeg(panel))
    return {"id": one.id, "miou": one.miou, "file": f"{folder.name}/{path.name}", "panels": alone}


def _confusions(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is most often taken for what: the largest shares of a label's pixels off the diagonal."""
    names = [c["name"] for c in facts["classes"]]
    found = [
        {"label": names[row], "prediction": names[column], "share": count / sum(counts), "pixels": count}
        for row, counts in enumerate(facts["confusion"])
        for column, count in enumerate(counts)
        if row != column and count >= _LEAST_SHARE * sum(counts) > 0
    ]
    return sorted(found, key=lambda one: -one["share"])[:_MOST_CONFUSIONS]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.4f}"
    environment.filters["picture"] = lambda panel: base64.b64encode(panel.read_bytes()).decode()
    # A bar would end a cell of a Markdown table.
    environment.filters["cell"] = lambda words: str(words).replace("|", "\\|")
    return environment
