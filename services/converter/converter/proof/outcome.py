"""Everything known at the end of a conversion: the source of the report and the card."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

from converter.arguments import Options
from converter.target import Summary

if TYPE_CHECKING:  # imports TensorFlow, which a dry run may lack
    from converter.proof.comparison import Proof


@dataclass(frozen=True)
class Outcome:
    """The outcome of a conversion or a dry run.

    Attributes:
        summary: what the target did.
        proof: None in a dry run without TensorFlow.
        source_bytes: the size of the source's files.
        converted_bytes: None in a dry run.
    """

    options: Options
    summary: Summary
    proof: Optional["Proof"]
    source_bytes: int
    converted_bytes: Optional[int] = None

    @property
    def agrees(self) -> bool:
        """Whether the masks agree on at least ``min_agreement`` of all pixels."""
        return self.proof is None or self.proof.fraction >= self.options.min_agreement

    def class_name(self, class_id: int) -> str:
        """The name on the card, or the number for a third-party model."""
        card = self.options.source.card
        return card.classes[class_id].name if card and class_id < len(card.classes) else f"class {class_id}"


def engine_facts(outcome: Outcome) -> Dict[str, Any]:
    """The outcome as JSON for the card: fractions in 0..1, times in milliseconds, sizes in bytes."""
    return {
        **outcome.summary.facts,
        "source_bytes": outcome.source_bytes,
        "converted_bytes": outcome.converted_bytes,
        "compared": _compared(outcome, outcome.proof) if outcome.proof else None,
    }


def size_bytes(folder: Path) -> int:
    """The total size of the files in a SavedModel."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _compared(outcome: Outcome, proof: "Proof") -> Dict[str, Any]:
    agreement = proof.agreement
    iou = [None if math.isnan(value) else round(float(value), 6) for value in agreement.iou]
    return {
        "images": proof.images.origin,
        "count": len(proof.expected),
        "agreement": round(agreement.fraction, 6),
        "min_agreement": outcome.options.min_agreement,
        "other_signatures": {name: round(other.fraction, 6) for name, other in proof.others.items()},
        "miou": round(agreement.miou, 6),
        "per_class_iou": {outcome.class_name(i): value for i, value in enumerate(iou) if value is not None},
        "worst": {"image": proof.names[agreement.worst], "agreement": round(min(agreement.fractions), 6)},
        "latency_ms": [asdict(latency) for latency in proof.latencies],
    }
