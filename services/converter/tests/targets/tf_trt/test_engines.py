"""Counts engines and operations left to TensorFlow in a converted graph."""

import pytest
from tensorflow.core.framework.graph_pb2 import GraphDef

from converter.targets.tf_trt.engines import reasons, summarize_engines

# As TensorFlow 2.14.1 prints it with TF_TRT_SHOW_DETAILED_REPORT=1.
LOG = """
2026-11-22 21:49:42.441402: W tensorflow/compiler/tf2tensorrt/segment/segment.cc:970]

################################################################################
TensorRT unsupported/non-converted OP Report:
	- ResizeBilinear -> 3x
		- [Count: 3x] Cannot Convert Bilinear Resize when align_corners=False

	- Cast -> 2x
		- [Count: 1x] Cast op is not supported - Allowed input dtypes: [float, half]. Received: int32
		- [Count: 1x] Unsupported tensorflow data type uint8

--------------------------------------------------------------------------------
	- Total nonconverted OPs: 5
	- Total nonconverted OP Types: 2
"""


@pytest.fixture
def graph() -> GraphDef:
    """An engine of two operations in the graph and one in a function; two casts and an ArgMax outside."""
    graph = GraphDef()
    for name, op in {
        "image": "Placeholder",
        "in": "Cast",
        "mask": "Cast",
        "argmax": "ArgMax",
        "out": "Identity",
    }.items():
        graph.node.add(name=name, op=op)
    add_engine(graph, graph.node, "TRTEngineOp_0_0", ["Conv2D", "Const", "Relu"])
    body = graph.library.function.add()
    body.signature.name = "loop_body"
    body.node_def.add(name="resize", op="ResizeBilinear")
    add_engine(graph, body.node_def, "head/TRTEngineOp_0_1", ["Mul", "AddV2", "Relu6"])
    return graph


def add_engine(graph: GraphDef, nodes, name: str, operations) -> None:
    segment = f"{name}_native_segment"
    nodes.add(name=name, op="TRTEngineOp").attr["segment_func"].func.name = segment
    function = graph.library.function.add()
    function.signature.name = segment
    for number, op in enumerate(operations):
        function.node_def.add(name=str(number), op=op)


def test_counts_engines_in_graph_and_function_library(graph) -> None:
    assert summarize_engines(graph).engines == [
        {"name": "TRTEngineOp_0_0", "nodes": 2},
        {"name": "TRTEngineOp_0_1", "nodes": 3},
    ]


def test_outside_excludes_engines_and_their_fallbacks(graph) -> None:
    assert summarize_engines(graph).outside == {"ArgMax": 1, "Cast": 2, "ResizeBilinear": 1}


def test_engine_called_twice_counts_once(graph) -> None:
    again = graph.node.add(name="again/TRTEngineOp_0_0", op="TRTEngineOp")
    again.attr["segment_func"].func.name = "TRTEngineOp_0_0_native_segment"
    assert [engine["name"] for engine in summarize_engines(graph).engines] == ["TRTEngineOp_0_0", "TRTEngineOp_0_1"]


def test_engine_without_fallback_counts() -> None:
    graph = GraphDef()
    graph.node.add(name="TRTEngineOp_0_0", op="TRTEngineOp")
    assert summarize_engines(graph).engines == [{"name": "TRTEngineOp_0_0", "nodes": 0}]


def test_reasons_are_parsed_from_the_log(graph) -> None:
    assert summarize_engines(graph, LOG).reasons == {
        "ArgMax": ["TF-TRT gives no reason: too few neighbouring operations for an engine, or in a loop or branch"],
        "Cast": [
            "Cast op is not supported - Allowed input dtypes: [float, half]. Received: int32",
            "Unsupported tensorflow data type uint8",
        ],
        "ResizeBilinear": ["Cannot Convert Bilinear Resize when align_corners=False"],
    }


def test_log_without_reasons_gives_none(graph) -> None:
    assert reasons("convert_graph.cc:122] Could not find any TF GPUs\n") == {}
    assert summarize_engines(graph, "").reasons == {}
