"""An evaluation as plain values: what `--json` prints, and what the reports are made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.datasets.dataset import Dataset
from trainer.evaluation.evaluate import Evaluation
from trainer.frozen.latency import Latency
from trainer.inference.segmenter import Segmenter
from trainer.inference.test_time_augmentation import Views
from trainer.metrics.boundary_f1 import Boundary
from trainer.metrics.confusion import mean_of_present


@dataclass(frozen=True)
class Circumstances:
    """How it was measured; what was not measured is None."""

    segmenter: Segmenter
    dataset: Dataset
    views: Views
    boundary: Boundary | None
    latency: Latency | None


def facts_of(evaluation: Evaluation, how: Circumstances) -> dict[str, Any]:
    """Everything, ready for JSON: figures are 0 to 1, None where there is nothing to measure."""
    card, confusion = how.segmenter.card, evaluation.confusion
    columns: dict[str, NDArray | None] = {
        "iou": confusion.iou(),
        "dice": confusion.dice(),
        "recall": confusion.recall(),
        "precision": confusion.precision(),
        "boundary_f1": evaluation.boundary_f1,
    }
    return {
        "model": {
            "name": how.segmenter.name,
            "architecture": card.architecture,
            "input_height": card.input_height,
            "input_width": card.input_width,
            "precision": card.precision,
            "derived_from": card.derived_from,
            "parameters": card.parameters,
            "flops": how.segmenter.count_flops(),
        },
        "data": str(how.dataset.root),
        "split": evaluation.split,
        "images": len(evaluation.images),
        "views": str(how.views),
        "miou": confusion.miou(),
        "pixel_accuracy": confusion.pixel_accuracy(),
        "dice": mean_of_present(confusion.dice()),
        "boundary_f1": evaluation.mean_boundary_f1,
        "boundary_tolerance": how.boundary.share_of_diagonal if how.boundary else None,
        "latency": {"p50_ms": how.latency.p50, "p95_ms": how.latency.p95, "calls": how.latency.calls}
        if how.latency
        else None,
        "classes": [
            {
                "id": c.id,
                "name": c.name,
                "color": list(c.color),
                "pixels": int(confusion.counts[c.id].sum()),
                **{name: _plain(column, c.id) for name, column in columns.items()},
            }
            for c in card.classes
        ],
        "confusion": confusion.counts.tolist(),
        "per_image": [{"id": image.item.id, "miou": image.miou} for image in evaluation.images],
    }


def _plain(column: NDArray | None, class_id: int) -> float | None:
    return None if column is None or np.isnan(column[class_id]) else float(column[class_id])
