"""An evaluation as plain values: what `--json` prints, and the source of the summary and the reports."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.datasets.dataset import Dataset
from trainer.evaluation.evaluate import Evaluation
from trainer.frozen.latency import Latency
from trainer.inference.segmenter import Segmenter
from trainer.inference.tta import TestTimeAugmentation


@dataclass(frozen=True)
class EvaluationContext:
    """How it was measured; ``latency`` is None where it was not."""

    segmenter: Segmenter
    dataset: Dataset
    tta: TestTimeAugmentation
    latency: Latency | None


def results_of(evaluation: Evaluation, context: EvaluationContext) -> dict[str, Any]:
    """Everything, ready for JSON: metrics are 0 to 1, None where there is nothing to measure."""
    card, measured, latency = context.segmenter.card, evaluation.measured, context.latency
    overall: dict[str, Any] = {}
    for metric in evaluation.metrics:
        if metric.overall_name:
            overall[metric.overall_name] = metric.overall(measured)
        overall |= metric.options()
    per_class = {metric.name: metric.per_class(measured) for metric in evaluation.metrics if metric.name}
    return {
        "model": {
            "name": context.segmenter.name,
            "architecture": card.architecture,
            "input_height": card.input_height,
            "input_width": card.input_width,
            "precision": card.precision,
            "derived_from": card.derived_from,
            "parameters": card.parameters,
            "flops": context.segmenter.count_flops(),
        },
        "data": str(context.dataset.root),
        "split": evaluation.split,
        "images": len(evaluation.images),
        "views": str(context.tta),
        **overall,
        "latency": {"p50_ms": latency.p50, "p95_ms": latency.p95, "calls": latency.calls} if latency else None,
        "classes": [
            {
                "id": c.id,
                "name": c.name,
                "color": list(c.color),
                "pixels": int(measured.confusion.counts[c.id].sum()),
                **{name: _plain(values, c.id) for name, values in per_class.items()},
            }
            for c in card.classes
        ],
        "confusion": measured.confusion.counts.tolist(),
        "per_image": [{"id": image.item.id, "miou": image.miou} for image in evaluation.images],
    }


def to_json(results: Mapping[str, Any]) -> str:
    """The results for programs."""
    return json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(values: NDArray | None, class_id: int) -> float | None:
    return None if values is None or np.isnan(values[class_id]) else float(values[class_id])
