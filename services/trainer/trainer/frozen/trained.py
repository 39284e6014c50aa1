"""A run's network as it is served."""

from pathlib import Path

import keras

from trainer.errors import UserError


def trained_network(weights: Path) -> keras.Model:
    """The network that a training saved as ``weights``, without the auxiliary head, which only training needs.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        trained = keras.models.load_model(weights, compile=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{weights} cannot be read ({str(error).splitlines()[0]}): train again") from None
    return keras.Model(trained.input, {"logits": trained.output["logits"]})
