"""One loaded version of a model: a SavedModel in a v1 Session, run as TensorFlow Serving runs it."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.client import pywrap_tf_session as tf_session

from serving.errors import from_exception, invalid_argument, not_found

_TAGS = ["serve"]

# On inputs of another rank these abort the process if oneDNN runs them (tensorflow#111453, #112536).
_ABORT_ON_RANK = {"Conv2D", "Conv3D", "DepthwiseConv2dNative"}


class Servable:
    """A SavedModel's ``serve`` graph with its variables, ready to run; safe to use from many threads.

    Runs call the C++ runtime directly. Python's shape checks are skipped on purpose: TensorFlow Serving's clients
    see the error texts of the runtime.

    Raises:
        ServingError: the folder has no SavedModel, or one that this runtime cannot load.
    """

    def __init__(self, path: Path, session_config: Any = None) -> None:
        if not any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            raise not_found(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}")
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session = tf.compat.v1.Session(graph=self._graph, config=session_config)
            try:
                meta_graph = tf.compat.v1.saved_model.load(self._session, _TAGS, str(path))
            except Exception as error:
                self._session.close()
                raise from_exception(error) from error
        self.signatures: Mapping[str, Any] = dict(meta_graph.signature_def)
        self._image_ranks = _image_ranks(meta_graph)
        self._graph.finalize()
        # Session.run would do this in every call; the graph is final, so once is enough.
        self._session._extend_graph()

    def run(
        self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str], timeout_ms: int | None = None
    ) -> list[NDArray[Any] | np.generic | bytes]:
        """Run the graph from the tensors named in ``feeds`` to those named in ``fetches``.

        Raises:
            ServingError: with the runtime's code and text; DEADLINE_EXCEEDED after ``timeout_ms``.
        """
        for name, array in feeds.items():
            if self._image_ranks.get(name, array.ndim) != array.ndim:
                # The error text of a convolution that does not abort.
                shape = ",".join(map(str, array.shape))
                raise invalid_argument(f"input must be {self._image_ranks[name]}-dimensional[{shape}]")
        options = None
        try:
            feed = {self._output(name): array for name, array in feeds.items()}
            fetch = [self._output(name) for name in fetches]
            if timeout_ms is not None:
                run_options = tf.compat.v1.RunOptions(timeout_in_ms=timeout_ms)
                options = tf_session.TF_NewBufferFromString(run_options.SerializeToString())
            return tf_session.TF_SessionRun_wrapper(self._session._session, options, feed, fetch, [], None)
        except (tf.errors.OpError, KeyError, ValueError, TypeError) as error:
            raise from_exception(error) from error
        finally:
            if options is not None:
                tf_session.TF_DeleteBuffer(options)

    def close(self) -> None:
        """Free the session and its variables. No run may be under way."""
        self._session.close()

    def _output(self, tensor_name: str) -> Any:
        return self._graph.get_tensor_by_name(tensor_name)._as_tf_output()


def _image_ranks(meta_graph: Any) -> dict[str, int]:
    """The rank of each input that may reach an operation which aborts on another one, by tensor name."""
    graph = meta_graph.graph_def
    nodes = chain(graph.node, *(function.node_def for function in graph.library.function))
    if not any(node.op in _ABORT_ON_RANK for node in nodes):
        return {}
    return {
        info.name: len(info.tensor_shape.dim)
        for signature in meta_graph.signature_def.values()
        for info in signature.inputs.values()
        if len(info.tensor_shape.dim) >= 4
    }
