"""Replaces operations that TensorRT does not take by equivalent ones that it does, in any network.

Each rewrite is a function of a graph and one of its nodes; it returns a line for the report, or None if it did nothing.
"""

from converter.targets.tf_trt.rewrites.apply import apply
from converter.targets.tf_trt.rewrites.saved_model import rewrite_saved_model

__all__ = ["apply", "rewrite_saved_model"]
