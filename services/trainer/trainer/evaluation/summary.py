"""Metrics as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from contract import Metrics
from trainer.metrics.metric import Metric, format_value

# Below this, a single image moves the mean by points.
_FEW_IMAGES = 30


def describe(metrics: Metrics) -> str:
    """A card's metrics as a small table."""
    lines = [f"{metrics.split} mIoU {metrics.miou:.4f} over {metrics.images} images"]
    for name, iou in metrics.per_class_iou.items():
        lines.append(f"  {name:<20} {format_value(iou, 'absent')}")
    return "\n".join([*lines, *cautions(metrics)])


def cautions(metrics: Metrics) -> list[str]:
    """A line for each reason why the metrics are unreliable; empty if there is none."""
    lines = []
    if metrics.images < _FEW_IMAGES:
        lines.append(f"  {metrics.images} images are too few to rely on these metrics: label more")
    never = [name for name, iou in metrics.per_class_iou.items() if iou == 0]
    if never:
        lines.append(f"  never found: {', '.join(never)}")
    return lines


def describe_evaluation(results: Mapping[str, Any], metrics: Sequence[Metric], of_card: Metrics) -> str:
    """All of :func:`trainer.evaluation.results.results_of` except the confusion matrix and the single images."""
    model, latency = results["model"], results["latency"]
    first, *others = (metric for metric in metrics if metric.overall_name and results[metric.overall_name] is not None)
    lines = [
        f"{results['split']} {_overall(first, results)} over {results['images']} images: "
        f"{model['name']}, {results['views']}",
        "  " + ", ".join(_overall(metric, results) for metric in others),
    ]
    columns = [metric for metric in metrics if metric.name]
    width = max([16, *(len(c["name"]) for c in results["classes"])])
    lines.append(f"  {'':<{width}} " + " ".join(f"{metric.title:>{_width(metric)}}" for metric in columns))
    for c in results["classes"]:
        cells = (f"{format_value(c[metric.name], '-'):>{_width(metric)}}" for metric in columns)
        lines.append(f"  {c['name']:<{width}} " + " ".join(cells))
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
    return "\n".join([*lines, *cautions(of_card)])


def _overall(metric: Metric, results: Mapping[str, Any]) -> str:
    note = f" ({metric.note})" if metric.note else ""
    return f"{metric.overall_title} {format_value(results[str(metric.overall_name)])}{note}"


def _width(metric: Metric) -> int:
    return max(8, len(metric.title))
