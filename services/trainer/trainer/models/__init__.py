"""Networks, built with ``keras`` alone so that they run on any of its backends."""

from trainer.models import ddrnet as ddrnet  # registers its networks
from trainer.models.registry import create_model, model_names

__all__ = ["create_model", "model_names"]
