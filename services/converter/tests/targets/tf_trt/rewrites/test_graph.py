"""Editing a GraphDef: names, control inputs, unneeded nodes."""

import numpy as np
import pytest
import tensorflow as tf

from converter.targets.tf_trt.rewrites.apply import apply
from converter.targets.tf_trt.rewrites.graph import Graph, NotRewritable


@pytest.fixture
def graph_def():
    """x is resized to y, which has the control input ``after``, a NoOp; z reads y, w has y as control input."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 2], "x")
        with tf.control_dependencies([tf.group(tf.constant(1.0, name="weight"), name="after")]):
            y = tf.raw_ops.ResizeBilinear(images=x, size=[8, 12], half_pixel_centers=True, name="y")
        tf.nn.relu(y, name="z")
        with tf.control_dependencies([y]):
            tf.nn.relu(x, name="w")
        tf.nn.relu(x, name="unused")
        tf.nn.relu(x, name="y/rows_taps")  # the name that the rewrite would use
    return graph.as_graph_def(add_shapes=True)


def test_given_graph_is_not_modified(graph_def) -> None:
    before = graph_def.SerializeToString(deterministic=True)
    apply(graph_def, ["x", "z"])
    assert graph_def.SerializeToString(deterministic=True) == before


def test_rewritten_node_keeps_its_name_and_consumers(graph_def) -> None:
    rewritten, _ = apply(graph_def, ["x", "z", "w"])
    nodes = {node.name: node for node in rewritten.node}
    assert nodes["y"].op == "Identity"
    assert list(nodes["z"].input) == ["y"]
    assert list(nodes["w"].input) == ["x", "^y"]


def test_existing_node_name_is_not_reused(graph_def) -> None:
    rewritten, _ = apply(graph_def, ["x", "z", "y/rows_taps"])
    nodes = {node.name: node.op for node in rewritten.node}
    assert (nodes["y/rows_taps"], nodes["y/rows_taps_1"]) == ("Relu", "DepthwiseConv2dNative")
    assert len(nodes) == len(rewritten.node)


def test_unneeded_nodes_are_dropped(graph_def) -> None:
    names = {node.name for node in apply(graph_def, ["x", "z"])[0].node}
    assert not names & {"unused", "y/size", "after", "weight"}


def test_unused_input_is_kept(graph_def) -> None:
    graph_def.node.add(name="second", op="Placeholder").attr["dtype"].type = tf.float32.as_datatype_enum
    assert "second" in {node.name for node in apply(graph_def, ["x", "second", "z"])[0].node}


def test_control_input_with_an_effect_is_kept() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 2], "x")
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x > 0), ["dark"], name="check")]):
            tf.raw_ops.ResizeBilinear(images=x, size=[8, 12], half_pixel_centers=True, name="y")
    rewritten, _ = apply(graph.as_graph_def(), ["x", "y"])
    (y,) = (node for node in rewritten.node if node.name == "y")
    (control,) = (name for name in y.input if name.startswith("^"))
    assert control[1:] in {node.name for node in rewritten.node}


def test_rewritten_argmax_keeps_its_control_inputs() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 2], "x")
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x > 0), ["dark"], name="check")]):
            classes = tf.argmax(x, -1)
        tf.cast(classes, tf.uint8, "y")
    rewritten, _ = apply(graph.as_graph_def(), ["x", "y"])
    (argmax,) = (node for node in rewritten.node if node.op == "ArgMax")
    assert any(name.startswith("^check") for name in argmax.input)


def test_argmax_keeps_its_output_type() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 2], "x")
        tf.identity(tf.raw_ops.ArgMax(input=x, dimension=-1, output_type=tf.uint16), "y")
    rewritten, notes = apply(graph.as_graph_def(), ["x", "y"])
    assert notes == ["1 ArgMax to uint16 → int32"]
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(rewritten, name="")
        assert graph.get_tensor_by_name("y:0").dtype == tf.uint16


def test_colocation_with_a_dropped_node_is_removed(graph_def) -> None:
    (z,) = (node for node in graph_def.node if node.name == "z")
    z.attr["_class"].list.s.append(b"loc:@unused")
    rewritten, _ = apply(graph_def, ["x", "z"])
    with tf.Graph().as_default():
        tf.graph_util.import_graph_def(rewritten, name="")


def test_function_library_is_kept() -> None:
    @tf.function(input_signature=[tf.TensorSpec([])])
    def halve(x):
        return x / 2

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [], "x")
        y = tf.while_loop(lambda v: v > 1.0, lambda v: (halve(v),), [x], name="loop")
        tf.identity(y, name="y")
    rewritten, _ = apply(graph.as_graph_def(), ["x", "y"])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(rewritten, name="")
        assert np.ravel(session.run("y:0", {"x:0": 12.0})) == [0.75]


def test_weights_have_shapes_and_small_constants_have_values() -> None:
    graph = Graph(tf.compat.v1.GraphDef())
    large, small = graph.add_constant("large", np.ones([100, 100], np.float32)), graph.add_constant("small", [8, 12])
    assert graph.shape(large) == (100, 100)
    assert graph.constant(small).tolist() == [8, 12]
    with pytest.raises(NotRewritable, match="its input large is not constant"):
        graph.constant(large)
