"""What all services agree on. Standard library only; Python 3.8 (the converter's) to 3.13."""

from contract.card import IGNORE_ID, CardError, ClassInfo, Metrics, ModelCard, Preprocessing
from contract.folders import versions
from contract.repository.publish import PublishError, publish, publish_without_card
from contract.serving_config.models_config import ModelsConfigError
from contract.signatures import (
    DESCRIBE,
    ENCODED,
    PROBABILITIES,
    SCORES,
    SERVING_DEFAULT,
    Signature,
    TensorSpec,
    mismatches,
    signatures,
)
from contract.version import __version__

__all__ = [
    "DESCRIBE",
    "ENCODED",
    "IGNORE_ID",
    "PROBABILITIES",
    "SCORES",
    "SERVING_DEFAULT",
    "CardError",
    "ClassInfo",
    "Metrics",
    "ModelCard",
    "ModelsConfigError",
    "Preprocessing",
    "PublishError",
    "Signature",
    "TensorSpec",
    "__version__",
    "mismatches",
    "publish",
    "publish_without_card",
    "signatures",
    "versions",
]
