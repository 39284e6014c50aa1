"""What TF-TRT did with a graph: the engines it created, and the operations it left to TensorFlow."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List

# TensorFlow's own default: a smaller segment costs more in copies than its engine gains.
MINIMUM_SEGMENT_SIZE = 3

_ENGINE_OP = "TRTEngineOp"
# Not counted as left to TensorFlow: they compute nothing, or are the engines.
_NOT_COUNTED = (_ENGINE_OP, "Placeholder", "Const", "Identity", "NoOp")
_NO_REASON = "TF-TRT gives no reason: too few neighbouring operations for an engine, or in a loop or branch"


@dataclass(frozen=True)
class EngineSummary:
    """JSON values.

    Attributes:
        engines: sorted by ``name``; ``nodes`` is the number of operations in it, constants excluded.
        outside: the number of operations of each type that run in TensorFlow.
        reasons: why, by operation type; empty if TF-TRT logged none.
    """

    engines: List[Dict[str, Any]]
    outside: Dict[str, int]
    reasons: Dict[str, List[str]] = field(default_factory=dict)


def summarize_engines(graph_def: Any, log: str = "") -> EngineSummary:
    """Count the engines of a converted graph and its function library.

    An engine called from several places counts once, by the last part of its name, as in TF-TRT's cache.

    Args:
        graph_def: the converted graph.
        log: the log of the conversion, with the detailed report of TF_TRT_SHOW_DETAILED_REPORT=1, which has the
            reasons (TensorFlow 2.6 lacks it).
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    sizes: Dict[str, int] = {}
    # The native fallback of each engine has the same operations, which must not be counted twice.
    fallbacks = set()
    bodies = [(None, list(graph_def.node)), *((name, list(f.node_def)) for name, f in functions.items())]
    for node in (node for _, nodes in bodies for node in nodes):
        if node.op == _ENGINE_OP:
            segment = node.attr["segment_func"].func.name
            fallbacks.add(segment)
            inside = functions[segment].node_def if segment in functions else []
            sizes[node.name.split("/")[-1]] = sum(inner.op != "Const" for inner in inside)
    outside = Counter(
        node.op for name, nodes in bodies if name not in fallbacks for node in nodes if node.op not in _NOT_COUNTED
    )
    logged = reasons(log)
    return EngineSummary(
        engines=[{"name": name, "nodes": sizes[name]} for name in sorted(sizes)],
        outside=dict(sorted(outside.items())),
        reasons={op: logged.get(op) or [_NO_REASON] for op in sorted(outside)} if logged else {},
    )


def reasons(log: str) -> Dict[str, List[str]]:
    """Why TF-TRT left operations to TensorFlow, parsed from its detailed report; empty if the log has none."""
    found: Dict[str, List[str]] = {}
    operation = ""
    for line in log.splitlines():
        heading = re.match(r"\s*- (\w+) -> (\d+)x\s*$", line)
        reason = re.match(r"\s*- \[Count: \d+x\] (.*\S)", line)
        if heading:
            operation = heading.group(1)
        elif reason and operation:
            found.setdefault(operation, []).append(reason.group(1))
    return found
