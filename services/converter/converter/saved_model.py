"""A SavedModel loaded into its own session, as TensorFlow Serving does."""

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping

import tensorflow as tf

from contract import Signature, TensorSpec
from converter.errors import ConverterError


class SavedModel:
    """``signatures`` are those with inputs; Keras's initialiser has none and is left out."""

    def __init__(self, session: Any, definitions: Mapping[str, Any]) -> None:
        self._session = session
        self._definitions = {name: definition for name, definition in definitions.items() if definition.inputs}
        self.signatures = {
            name: Signature(_specs(definition.inputs), _specs(definition.outputs))
            for name, definition in self._definitions.items()
        }

    def run(self, name: str, feeds: Mapping[str, Any]) -> Dict[str, Any]:
        """The outputs of one signature, by alias.

        Raises:
            tf.errors.OpError: the graph failed.
        """
        definition = self._definitions[name]
        fetches = {alias: info.name for alias, info in definition.outputs.items()}
        outputs: Dict[str, Any] = self._session.run(
            fetches, {definition.inputs[alias].name: value for alias, value in feeds.items()}
        )
        return outputs


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[SavedModel]:
    """Load the SavedModel in ``folder``; unlike ``tf.saved_model.load``, a session fails on anything missing.

    Raises:
        ConverterError: it cannot be loaded.
    """
    graph = tf.Graph()
    # Closed but not entered, so that other code's operations do not go into its graph.
    with contextlib.closing(tf.compat.v1.Session(graph=graph)) as session:
        try:
            with graph.as_default():
                definitions = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def
        except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
            reason = " ".join(str(error).split())
            raise ConverterError(f"{folder} does not load in TensorFlow {tf.__version__}: {reason}") from None
        yield SavedModel(session, definitions)


def _specs(tensors: Mapping[str, Any]) -> Dict[str, TensorSpec]:
    return {
        alias: TensorSpec(
            tf.dtypes.as_dtype(info.dtype).name,
            tuple(None if dim.size < 0 else int(dim.size) for dim in info.tensor_shape.dim),
        )
        for alias, info in tensors.items()
    }
