"""Networks on this machine: run folders and published SavedModels."""

import dataclasses
import shlex
from pathlib import Path

import numpy as np
import tensorflow as tf

from contract import SERVING_DEFAULT, CardError, ModelCard, versions
from contract.folders import CARD_PATH
from trainer.errors import UserError, one_line
from trainer.frozen import graph
from trainer.inference.segmenter import Segmenter, of_signatures
from trainer.models.preprocessing import IMAGENET
from trainer.runs import RunFolder


def open_local(path: Path) -> Segmenter:
    """Open a run folder, one of its ``.keras`` files, or a published model (of several versions the newest).

    Raises:
        UserError: ``path`` is none of these, or cannot be read.
    """
    if path.suffix == ".keras":
        return _open_run(path.parent, path)
    if RunFolder(path).is_run():
        return _open_run(path)
    return _open_published(path)


def _open_run(folder: Path, weights: Path | None = None) -> Segmenter:
    """The graph is frozen as for an export, so that a run is measured as it would be published."""
    run = RunFolder(folder).load()
    network = graph.trained_network(weights or run.weights)
    height, width = run.recipe.data.input_height, run.recipe.data.input_width
    parameters = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
    card = ModelCard("run", run.recipe.network, height, width, run.classes, IMAGENET, parameters=parameters)
    functions = graph.signatures(graph.freeze(network, height, width), card)
    name = str(weights or folder)
    return of_signatures(
        name, card, functions, lambda: graph.count_flops(graph.freeze(network, height, width, images=1).logits)
    )


def _open_published(path: Path) -> Segmenter:
    if not (path / "saved_model.pb").is_file():
        published = versions(path.parent, path.name)
        if not published:
            raise UserError(
                f"{path} is not a network: expected a run folder, models_repo/NAME or models_repo/NAME/VERSION"
            )
        path = path / str(published[-1])
    try:
        card = ModelCard.from_json((path / CARD_PATH).read_text(encoding="utf-8"))
    except (FileNotFoundError, CardError) as error:
        raise UserError(
            f"{path} has no readable model card ({error}): it was not published by Segstack; "
            f"publish it with `segstack export --from {shlex.quote(str(path))} --name NAME --classes CLASSES`"
        ) from None
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow's loader raises errors of many kinds
        raise UserError(f"{path} cannot be loaded: {one_line(error)}{_hint(card)}") from None
    if SERVING_DEFAULT not in loaded.signatures:
        raise UserError(f"{path} has no signature {SERVING_DEFAULT}: publish it again")
    return dataclasses.replace(of_signatures(str(path), card, loaded.signatures, lambda: card.flops), owner=loaded)


def _hint(card: ModelCard) -> str:
    """An engine needs the GPU and the TensorRT that built it."""
    if card.derived_from is None:
        return ""
    return f". It was converted from {card.derived_from} for a GPU: serve it there, and measure it with --serving"
