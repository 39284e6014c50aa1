"""Applies every rewrite to a frozen graph."""

from collections import Counter
from typing import Any, Callable, List, Optional, Sequence, Tuple

from converter.targets.tf_trt.rewrites.convolutions import rewrite_dilated_depthwise, rewrite_explicit_padding
from converter.targets.tf_trt.rewrites.dtypes import rewrite_argmax, rewrite_cast
from converter.targets.tf_trt.rewrites.graph import Graph, NotRewritable
from converter.targets.tf_trt.rewrites.resize import rewrite_bilinear, rewrite_nearest
from converter.targets.tf_trt.rewrites.shapes import rewrite_ensure_shape, rewrite_reshape, rewrite_shape_slice

Rewrite = Callable[[Graph, Any], Optional[str]]

# In this order: constant shapes first, because other rewrites need sizes; casts last, to move past rewritten nodes.
_REWRITES: Sequence[Tuple[Rewrite, Sequence[str]]] = (
    (rewrite_shape_slice, ("StridedSlice",)),
    (rewrite_ensure_shape, ("EnsureShape",)),
    (rewrite_reshape, ("Reshape",)),
    (rewrite_argmax, ("ArgMax", "ArgMin")),
    (rewrite_explicit_padding, ("Conv2D", "DepthwiseConv2dNative")),
    (rewrite_dilated_depthwise, ("BatchToSpaceND",)),
    (rewrite_bilinear, ("ResizeBilinear",)),
    (rewrite_nearest, ("ResizeNearestNeighbor",)),
    (rewrite_cast, ("Cast",)),
)


def apply(graph_def: Any, keep: Sequence[str]) -> Tuple[Any, List[str]]:
    """Rewrite a frozen GraphDef whose functions are inlined; its function library is left unchanged.

    Args:
        graph_def: not modified; a copy is edited.
        keep: the names of the input and output nodes; nodes that none of them needs are dropped.

    Returns:
        The new GraphDef, in which these nodes have the same values to float32's accuracy; and a line for each kind of
        node that was rewritten or could not be.
    """
    graph = Graph(graph_def)
    graph.prune(keep)
    notes: Counter = Counter()
    for rewrite, operations in _REWRITES:
        while _pass(graph, rewrite, operations, notes):
            graph.prune(keep)
    return graph.definition, [f"{count} {text}" for text, count in notes.items()]


def _pass(graph: Graph, rewrite: Rewrite, operations: Sequence[str], notes: Counter) -> bool:
    """Try the rewrite on every such node once; returns whether anything changed, so that another pass may find more."""
    done: Counter = Counter()
    skipped: Counter = Counter()
    for node in graph.of(*operations):
        if node.op not in operations:  # replaced in this pass
            continue
        try:
            note = rewrite(graph, node)
        except NotRewritable as reason:
            skipped[f"{node.op} not rewritten: {reason}"] += 1
            continue
        if note:
            done[note] += 1
    notes.update(done)
    if not done:
        notes.update(skipped)  # only of the last pass, or they would count twice
    return bool(done)
