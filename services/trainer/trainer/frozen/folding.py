"""BatchNorm folded into the convolutions before it, in a frozen graph.

At inference BatchNorm is a factor and an addend for each channel. After a convolution the factor goes into its filters
and the addend is its bias: the arithmetic is gone, and kernels that fuse convolution, bias and ReLU find them in a row.
After anything else (a ReLU, a pool, a sum) it stays, and also before a convolution, whose zero padding would have to
become another number.

Done on the graph and not on Keras's layers, because there one rule holds for every network: those of
``keras.applications`` and KerasHub, nested models, and SavedModels that were never Keras.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import wrap_function

# Each has its filter as its second input.
_CONVOLUTIONS = {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput"}

# Operations on a convolution's output that treat every channel alike and move pixels only.
_TRANSPARENT = {"Identity", "BatchToSpaceND"}


@dataclass
class _Chain:
    """A convolution and what follows it as long as that is a factor and an addend for each channel.

    ``steps`` ends with such arithmetic; transparent operations may come between.
    """

    convolution: Any
    scale: NDArray
    shift: NDArray
    steps: list[Any] = field(default_factory=list)


def fold_batch_norms(function: Any) -> Any:
    """A frozen function (of ``convert_variables_to_constants_v2``) with the same outputs, up to rounding."""
    definition = function.graph.as_graph_def()
    # One constant at a time is evaluated: optimising the whole graph for each takes minutes.
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph, config=config) as session:
        tf.graph_util.import_graph_def(definition, name="")
        kept = {tensor.name for tensor in function.outputs}
        constants = _Constants(graph, session)
        chains = [_chain(op, constants, kept) for op in graph.get_operations() if op.type in _CONVOLUTIONS]
        nodes = {node.name: node for node in definition.node}
        for chain in chains:
            if chain and chain.steps:
                _fold(chain, constants.value(chain.convolution.inputs[1]), nodes, definition)
    # Freezing leaves a NoOp that waits for every weight, which would keep the unfolded ones too.
    for node in definition.node:
        inputs = [name for name in node.input if not (name[0] == "^" and constants.has(name[1:]))]
        del node.input[:]
        node.input.extend(inputs)
    names = [tensor.name for tensor in function.inputs], [tensor.name for tensor in function.outputs]
    return wrap_function.function_from_graph_def(definition, *names)


class _Constants:
    """Tensors that no input of the graph reaches."""

    def __init__(self, graph: tf.Graph, session: Any) -> None:
        self._session = session
        self._known: set[str] = set()
        for op in graph.get_operations():  # in topological order
            from_constants = bool(op.inputs) and all(tensor.op.name in self._known for tensor in op.inputs)
            if op.type == "Const" or (from_constants and not op.op_def.is_stateful and not op.control_inputs):
                self._known.add(op.name)

    def has(self, operation: str) -> bool:
        return operation in self._known

    def value(self, tensor: Any) -> NDArray:
        return np.asarray(self._session.run(tensor))

    def channels(self, tensor: Any, count: int) -> NDArray | None:
        """The tensor as one number a channel, when it is constant and differs only between channels, the last axis."""
        if not self.has(tensor.op.name) or not tensor.shape.is_fully_defined():
            return None
        size = tensor.shape.num_elements()
        if size not in (1, count) or (size == count and tensor.shape[-1] != count) or tensor.shape.rank > 4:
            return None
        return np.broadcast_to(self.value(tensor).astype(np.float64).ravel(), [count])


def _chain(convolution: Any, constants: _Constants, kept: set[str]) -> _Chain | None:
    channels = convolution.outputs[0].shape[-1] if convolution.outputs[0].shape.rank == 4 else None
    in_order = convolution.get_attr("data_format") == b"NHWC"
    if channels is None or not in_order or not constants.has(convolution.inputs[1].op.name):
        return None
    chain = _Chain(convolution, np.ones(channels), np.zeros(channels))
    pending: list[Any] = []  # transparent ones, of which it is not known yet whether arithmetic follows
    tensor = convolution.outputs[0]
    while tensor.name not in kept and len(tensor.consumers()) == 1:
        (op,) = tensor.consumers()
        pending.append(op)
        if op.type not in _TRANSPARENT:
            affine = _affine(op, tensor, constants, channels)
            if affine is None:
                break
            scale, shift = affine
            chain.scale, chain.shift = chain.scale * scale, chain.shift * scale + shift
            chain.steps += pending
            pending = []
        tensor = op.outputs[0]
    return chain


def _affine(op: Any, tensor: Any, constants: _Constants, channels: int) -> tuple[Any, Any] | None:
    """Factor and addend for each channel of what ``op`` does to ``tensor``; None if it does anything else."""
    if op.type == "FusedBatchNormV3":
        if op.get_attr("is_training") or op.inputs[0] is not tensor or any(o.consumers() for o in op.outputs[1:]):
            return None
        vectors = [constants.channels(t, channels) for t in op.inputs[1:]]
        if any(vector is None for vector in vectors):
            return None
        gamma, beta, mean, variance = (np.asarray(vector) for vector in vectors)
        scale = gamma / np.sqrt(variance + op.get_attr("epsilon"))
        return scale, beta - mean * scale
    if op.type not in ("Mul", "AddV2", "Add", "BiasAdd", "Sub"):
        return None
    left, right = op.inputs
    other = right if left is tensor else left
    operand = constants.channels(other, channels)
    if operand is None or (op.type == "Sub" and left is not tensor):
        return None
    if op.type == "Mul":
        return operand, 0.0
    return 1.0, -operand if op.type == "Sub" else operand


def _fold(chain: _Chain, kernel: NDArray, nodes: dict[str, Any], definition: Any) -> None:
    convolution = chain.convolution
    if convolution.type == "Conv2DBackpropInput":  # [height, width, out, in]
        scale = chain.scale[:, None]
    else:  # [height, width, in, out]; depthwise [height, width, in, multiplier], and in * multiplier channels
        scale = chain.scale.reshape((kernel.shape[2], -1) if convolution.type.startswith("Depthwise") else -1)
    nodes[convolution.name].input[1] = _constant(
        definition, f"{convolution.name}/folded_filter", kernel * scale, kernel
    )
    bias = _constant(definition, f"{convolution.name}/folded_bias", chain.shift, kernel)

    *steps, last = chain.steps
    before = convolution.name
    for op in steps:
        if op.type in _TRANSPARENT:
            nodes[op.name].input[0] = before
            before = op.name
    node = nodes[last.name]
    dtype = node.attr["T"].type
    node.Clear()
    # TensorFlow fuses convolution, BiasAdd, sum and ReLU even where another operation needs the sum too; it then finds
    # the graph broken and leaves all of it unfused (its remapper, seen in 2.21). An AddV2 is not fused that far.
    sums = [op for op in last.outputs[0].consumers() if op.type in ("AddV2", "Add")]
    shared_sum = any(len(op.outputs[0].consumers()) > 1 for op in sums)
    node.name, node.op = last.name, "AddV2" if shared_sum else "BiasAdd"
    node.input.extend([before, bias])
    node.attr["T"].type = dtype
    if node.op == "BiasAdd":
        node.attr["data_format"].s = b"NHWC"


def _constant(definition: Any, name: str, value: NDArray, like: NDArray) -> str:
    node = definition.node.add(name=name, op="Const")
    tensor = tf.make_tensor_proto(value.astype(like.dtype))
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return name
