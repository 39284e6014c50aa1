"""What of the conversion needs no GPU; building engines does."""

import pytest
from tensorflow.core.framework.graph_pb2 import GraphDef

from converter.conversion import blank_batches, engine_names


def test_engines_are_counted_in_the_graph_and_in_its_function_library() -> None:
    graph = GraphDef()
    graph.node.add(name="TRTEngineOp_0_0", op="TRTEngineOp")
    graph.node.add(name="mask", op="Cast")
    function = graph.library.function.add()
    function.node_def.add(name="head/TRTEngineOp_0_1", op="TRTEngineOp")
    assert engine_names(graph) == ["TRTEngineOp_0_0", "TRTEngineOp_0_1"]


def test_the_same_engine_called_twice_is_one() -> None:
    graph = GraphDef()
    graph.node.add(name="a/TRTEngineOp_0_0", op="TRTEngineOp")
    graph.node.add(name="b/TRTEngineOp_0_0", op="TRTEngineOp")
    assert engine_names(graph) == ["TRTEngineOp_0_0"]


@pytest.mark.parametrize("batch_sizes", [(1, 4), (4, 1)])
def test_engines_are_built_from_the_smallest_batch_up(batch_sizes) -> None:
    batches = [arguments[0] for arguments in blank_batches(batch_sizes, 32, 48)]
    assert [(batch.shape, str(batch.dtype)) for batch in batches] == [
        ((1, 32, 48, 3), "uint8"),
        ((4, 32, 48, 3), "uint8"),
    ]
