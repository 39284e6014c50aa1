"""What became of a graph: the engines that TF-TRT cut out of it, and what it left outside."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List

_ENGINE_OP = "TRTEngineOp"
# Neither computes nor belongs to one engine: where a graph begins and ends, and what it is made of.
_NO_WORK = (_ENGINE_OP, "Placeholder", "Const", "Identity", "NoOp")
_UNSAID = "TF-TRT does not say: too few operations beside it for an engine, or inside a loop or a branch"


@dataclass(frozen=True)
class EngineSummary:
    """Plain values, for a report and for JSON.

    Args:
        engines: ``name``, and ``nodes``, the operations in it; constants are none. By name.
        outside: how many of which operation run in TensorFlow.
        reasons: why, of these operations, as far as TF-TRT has said.
    """

    engines: List[Dict[str, Any]]
    outside: Dict[str, int]
    reasons: Dict[str, List[str]] = field(default_factory=dict)


def summary(graph_def: Any, log: str = "") -> EngineSummary:
    """Count the engines of a converted graph, in its body and in its function library.

    An engine that is called from several places is one, under the last part of its name, as TF-TRT's cache has it.

    Args:
        graph_def: what TF-TRT converted.
        log: what it printed meanwhile; the detailed report that TF_TRT_SHOW_DETAILED_REPORT=1 asks for (TensorFlow 2.6
            has none) says why operations were left.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    sizes: Dict[str, int] = {}
    # What runs where an engine does not: the same operations once more.
    replaced = set()
    bodies = [(None, list(graph_def.node)), *((name, list(f.node_def)) for name, f in functions.items())]
    for node in (node for _, nodes in bodies for node in nodes):
        if node.op == _ENGINE_OP:
            segment = node.attr["segment_func"].func.name
            replaced.add(segment)
            inside = functions[segment].node_def if segment in functions else []
            sizes[node.name.split("/")[-1]] = sum(inner.op != "Const" for inner in inside)
    outside = Counter(
        node.op for name, nodes in bodies if name not in replaced for node in nodes if node.op not in _NO_WORK
    )
    said = reasons(log)
    return EngineSummary(
        engines=[{"name": name, "nodes": sizes[name]} for name in sorted(sizes)],
        outside=dict(sorted(outside.items())),
        reasons={op: said.get(op) or [_UNSAID] for op in sorted(outside)} if said else {},
    )


def reasons(log: str) -> Dict[str, List[str]]:
    """Why TF-TRT left operations outside, out of its detailed report; nothing where the log has none."""
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
