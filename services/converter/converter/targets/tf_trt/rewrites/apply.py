"""Every rewrite, applied to a frozen graph."""

from collections import Counter
from typing import Any, Callable, List, Optional, Sequence, Tuple

from converter.targets.tf_trt.rewrites.argmax import rewrite_argmax
from converter.targets.tf_trt.rewrites.casts import rewrite_cast
from converter.targets.tf_trt.rewrites.dilation import rewrite_dilated_depthwise
from converter.targets.tf_trt.rewrites.graph import Graph, Left
from converter.targets.tf_trt.rewrites.padding import rewrite_explicit_padding
from converter.targets.tf_trt.rewrites.resize import rewrite_bilinear, rewrite_nearest
from converter.targets.tf_trt.rewrites.shapes import rewrite_ensure_shape, rewrite_reshape, rewrite_shape_slice

Rewrite = Callable[[Graph, Any], Optional[str]]

# In this order: constant shapes first, as others ask for sizes; casts last, past whatever became of what they stood at.
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
    """Rewrite a frozen GraphDef whose functions are inlined; what nodes inside its function library do is left.

    Args:
        graph_def: left as it is; a copy is edited.
        keep: the names of the nodes that are inputs and outputs; what none of them needs is dropped.

    Returns:
        The new GraphDef, whose nodes of these names have the same values as before, to float32's accuracy; and what was
        rewritten or had to be left, a line each.
    """
    graph = Graph(graph_def)
    graph.prune(keep)
    notes: Counter = Counter()
    for rewrite, operations in _REWRITES:
        while _pass(graph, rewrite, operations, notes):
            graph.prune(keep)
    return graph.definition, [f"{count} {text}" for text, count in notes.items()]


def _pass(graph: Graph, rewrite: Rewrite, operations: Sequence[str], notes: Counter) -> bool:
    """Offer every such node once; whether anything changed, so that another pass may find more."""
    done: Counter = Counter()
    left: Counter = Counter()
    for node in graph.of(*operations):
        if node.op not in operations:  # became something else meanwhile
            continue
        try:
            note = rewrite(graph, node)
        except Left as reason:
            left[f"{node.op} left as it is: {reason}"] += 1
            continue
        if note:
            done[note] += 1
    notes.update(done)
    if not done:
        notes.update(left)  # of the last pass alone, or they would count twice
    return bool(done)
