"""What TensorRT does not take of a network, said in operations that it does: exactly, and whatever network it is.

Each rewrite is a function from a graph and one of its nodes to a line for the report, None where nothing is to be done.
"""

from converter.targets.tf_trt.rewrites.apply import apply
from converter.targets.tf_trt.rewrites.saved_model import Rewritten, rewrite_saved_model

__all__ = ["Rewritten", "apply", "rewrite_saved_model"]
