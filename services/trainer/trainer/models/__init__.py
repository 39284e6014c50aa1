"""Networks, built with ``keras`` alone so that they run on any of its backends."""

from trainer.models import ddrnet, deeplab, unet  # noqa: F401 - importing a file registers its networks
from trainer.models.registry import create_model, model_names

__all__ = ["create_model", "model_names"]
