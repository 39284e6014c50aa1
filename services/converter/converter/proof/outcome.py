"""Everything that is known at the end of a conversion: what the report and the card are made from."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from converter.arguments import Options
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime

if TYPE_CHECKING:  # it needs TensorFlow, and a dry run's outcome does not
    from converter.proof.comparison import Proof


@dataclass(frozen=True)
class Outcome:
    """One conversion, or the dry run of one; then ``converted_bytes`` is None, and so is ``proof`` where there was no
    TensorFlow to compare with. ``engines`` are by signature; ``rewritten`` are lines, one for each kind of rewrite."""

    options: Options
    machine: Runtime
    engines: Dict[str, EngineSummary]
    rewritten: Tuple[str, ...]
    proof: Optional["Proof"]
    source_bytes: int
    converted_bytes: Optional[int] = None

    @property
    def agrees(self) -> bool:
        """Whether the masks agree as far as they have to."""
        return self.proof is None or self.proof.share >= self.options.min_agreement

    def class_name(self, class_id: int) -> str:
        """By the card; of another's model, the number."""
        card = self.options.source.card
        return card.classes[class_id].name if card and class_id < len(card.classes) else f"class {class_id}"


def facts(outcome: Outcome, minimum_segment_size: int) -> Dict[str, Any]:
    """The same as JSON, for the card: shares in 0..1, times in milliseconds, sizes in bytes."""
    options, machine = outcome.options, outcome.machine
    return {
        "engines": {name: summary.engines for name, summary in outcome.engines.items()},
        "left_outside": {name: summary.outside for name, summary in outcome.engines.items()},
        "rewritten": list(outcome.rewritten),
        "batch_sizes": list(options.batch_sizes),
        "workspace_mb": options.workspace_mb,
        "minimum_segment_size": minimum_segment_size,
        "gpu": machine.gpu,
        "compute_capability": machine.compute_capability,
        "driver": machine.driver,
        "source_bytes": outcome.source_bytes,
        "converted_bytes": outcome.converted_bytes,
        "compared": _compared(outcome, outcome.proof) if outcome.proof else None,
    }


def size_bytes(folder: Path) -> int:
    """Of all the files of a SavedModel."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _compared(outcome: Outcome, proof: "Proof") -> Dict[str, Any]:
    agreement = proof.agreement
    iou = [None if math.isnan(value) else round(float(value), 6) for value in agreement.iou]
    return {
        "images": proof.images.origin,
        "count": len(proof.expected),
        "agreement": round(agreement.share, 6),
        "min_agreement": outcome.options.min_agreement,
        "other_signatures": {name: round(other.share, 6) for name, other in proof.others.items()},
        "miou": round(agreement.miou, 6),
        "per_class_iou": {outcome.class_name(i): value for i, value in enumerate(iou) if value is not None},
        "worst": {"image": proof.names[agreement.worst], "agreement": round(min(agreement.shares), 6)},
        "latency_ms": [asdict(latency) for latency in proof.latencies],
    }
