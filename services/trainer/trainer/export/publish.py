"""``export``: measure the frozen graph, describe it in a card, and publish it for serving."""

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from contract import ModelCard, __version__
from contract import publish as publish_version
from contract.card import check_model_name
from trainer.datasets.dataset import Dataset, load_dataset
from trainer.errors import UserError
from trainer.evaluation.evaluate import evaluate
from trainer.export.adapt import NetworkSpec, adapt
from trainer.export.check import check_saved_model
from trainer.export.foreign import ForeignNetwork
from trainer.frozen import graph
from trainer.inference.segmenter import of_signatures
from trainer.models.preprocessing import IMAGENET
from trainer.runs import Run
from trainer.training.provenance import git_revision


def export_run(run: Run, name: str, models_root: Path, split: str | None = None) -> tuple[int, ModelCard]:
    """Publish a run's best network as the next version of the model ``name``.

    The card's metrics are measured on ``split``, by default the data set's last, with the very graph that is saved.

    Returns:
        The version and its card.
    """
    dataset = load_dataset(run.recipe.data.path)
    if dataset.classes != run.classes:
        raise UserError(f"{dataset.root} has different classes than when {run.folder} was trained: train again")
    height, width = run.recipe.data.input_height, run.recipe.data.input_width
    # First, as it refuses a bad name at once.
    card = ModelCard(name, run.recipe.network, height, width, run.classes, IMAGENET)
    model = graph.trained_network(run.weights)
    return _publish(model, model.weights, card, models_root, dataset, split)


def export_foreign(
    foreign: ForeignNetwork,
    spec: NetworkSpec,
    name: str,
    models_root: Path,
    dataset: Dataset | None = None,
    split: str | None = None,
) -> tuple[int, ModelCard]:
    """Publish a third-party network as the next version of the model ``name``, measured if there is a data set.

    Returns:
        The version and its card.

    Raises:
        UserError: the network does not fit ``spec``.
    """
    check_model_name(name)
    adapted = adapt(foreign, spec)
    classes = tuple(spec.classes)
    card = ModelCard(name, foreign.name, adapted.height, adapted.width, classes, adapted.preprocessing)
    return _publish(adapted.network, foreign.weights, card, models_root, dataset, split)


def _publish(
    network: graph.Network,
    weights: Sequence[Any],
    card: ModelCard,
    models_root: Path,
    dataset: Dataset | None,
    split: str | None,
) -> tuple[int, ModelCard]:
    """Freeze ``network``, complete its card (name, size, classes and preprocessing are set), check and publish it.

    ``weights`` is empty for a network that was frozen before.
    """
    height, width, preprocessing = card.input_height, card.input_width, card.preprocessing
    module = graph.freeze(network, height, width, preprocessing=preprocessing)
    segmenter = of_signatures(card.name, card, graph.signatures(module, card), lambda: None)
    one_image = graph.freeze(network, height, width, images=1, preprocessing=preprocessing)
    card = dataclasses.replace(
        card,
        metrics=evaluate(segmenter, dataset, split or dataset.splits[-1]).card_metrics if dataset else None,
        flops=graph.count_flops(one_image.logits),
        parameters=sum(weight.numpy().size for weight in weights if weight.trainable) or None,
        frameworks={"segstack": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        git_revision=git_revision(),
        weights_sha256=_sha256(weights) if weights else None,
    )
    version = publish_version(
        models_root,
        card,
        write=lambda folder: graph.save(module, graph.signatures(module, card), str(folder)),
        check=lambda folder: check_saved_model(str(folder), card),
    )
    return version, card


def _sha256(weights: Sequence[Any]) -> str:
    """Over the weights' bytes in the network's order: equal weights have equal checksums in any file format."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()
