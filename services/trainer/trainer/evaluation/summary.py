"""Figures as text for a terminal."""

from collections.abc import Mapping
from typing import Any

from contract import Metrics

# Below this, a single image moves the mean by points.
_FEW_IMAGES = 30


def describe(metrics: Metrics) -> str:
    """A card's figures as a small table."""
    lines = [f"{metrics.split} mIoU {metrics.miou:.4f} over {metrics.images} images"]
    for name, iou in metrics.per_class_iou.items():
        lines.append(f"  {name:<20} {'absent' if iou is None else f'{iou:.4f}'}")
    return "\n".join([*lines, *cautions(metrics)])


def cautions(metrics: Metrics) -> list[str]:
    """Why the figures should not be relied on, if they should not."""
    lines = []
    if metrics.images < _FEW_IMAGES:
        lines.append(f"  {metrics.images} images are too few to rely on these figures: label more")
    never = [name for name, iou in metrics.per_class_iou.items() if iou == 0]
    if never:
        lines.append(f"  never found: {', '.join(never)}")
    return lines


def describe_evaluation(facts: Mapping[str, Any], metrics: Metrics) -> str:
    """Everything of :func:`trainer.evaluation.facts.facts_of` but the confusion matrix and the single images."""
    model, latency = facts["model"], facts["latency"]
    lines = [
        f"{facts['split']} mIoU {facts['miou']:.4f} over {facts['images']} images: {model['name']}, {facts['views']}",
        f"  pixel accuracy {facts['pixel_accuracy']:.4f}, mean Dice {facts['dice']:.4f}{_boundary(facts)}",
    ]
    width = max([16, *(len(c["name"]) for c in facts["classes"])])
    lines.append(f"  {'':<{width}} {'IoU':>8} {'Dice':>8} {'recall':>8} {'precis.':>8} {'outline':>8}")
    for c in facts["classes"]:
        figures = (c["iou"], c["dice"], c["recall"], c["precision"], c["boundary_f1"])
        lines.append(f"  {c['name']:<{width}} " + " ".join(f"{_figure(figure):>8}" for figure in figures))
    size = f"{model['input_height']}x{model['input_width']}"
    if model["flops"]:
        lines.append(f"  {model['flops'] / 1e9:.2f} GFLOPs for one {size} image")
    if model["parameters"]:
        lines.append(f"  {model['parameters']:,} parameters")
    if latency:
        lines.append(
            f"  {latency['p50_ms']:.1f} ms for one {size} image, 95 of 100 within {latency['p95_ms']:.1f} ms "
            f"({latency['calls']} calls, warm)"
        )
    return "\n".join([*lines, *cautions(metrics)])


def _boundary(facts: Mapping[str, Any]) -> str:
    if facts["boundary_f1"] is None:
        return ""
    return f", boundary F1 {facts['boundary_f1']:.4f} (within {facts['boundary_tolerance']:.2%} of the diagonal)"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
