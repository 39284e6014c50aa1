"""How much arithmetic a network is, counted in its frozen graph."""

from typing import Any

from tensorflow.python.profiler.model_analyzer import profile
from tensorflow.python.profiler.option_builder import ProfileOptionBuilder


def count_flops(frozen: Any) -> int:
    """Floating-point operations of one call of a frozen function (all its sizes known), a multiply-add as two."""
    options = ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return int(profile(frozen.graph, options=options).total_float_ops)
