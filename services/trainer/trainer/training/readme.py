"""The run folder's ``README.md``: what lies there and what can be done with it, for whoever finds the folder."""

import shlex
from pathlib import Path

from contract.durable import replace_file
from trainer.recipe import Recipe

_TEXT = """# {title}

A training of `{network}` at {height}x{width} (height x width) on the data set `{data}`, for {epochs} epochs at most.
The commands below are run in the project's folder, with its `.venv/bin/python` for `python`.

| here | what |
|---|---|
| `best.keras` | the network with the best validation mIoU: what is published, evaluated and predicted with |
| `best_loss.keras` | the one with the least validation loss |
| `last.keras` | the last one that was validated |
| `recipe.yaml` | everything that was asked for, overrides included; a recipe for another training |
| `run.json` | classes, command, versions, machine, the data set's checksum, and the results |
| `metrics.csv` | a line an epoch: losses, mIoU, IoU of each class, seconds and images a second |
| `tensorboard/` | the same as curves, and pictures of image, label and prediction |
| `state/` | what going on needs: weights, optimiser, position in the data; remove it when the training is over |
{average}
mIoU is the mean over classes of intersection over union, on the validation images; pixels labelled 255 do not count.

```sh
tensorboard --logdir {folder}
python -m trainer train --resume {folder}    # goes on where it was stopped
python -m trainer evaluate --model {folder} --data {quoted_data}
python -m trainer predict --model {folder} photo.jpg --output predicted
python -m trainer export --run {folder} --name NAME    # publishes it for serving
```
"""


def write_readme(folder: Path, recipe: Recipe) -> None:
    """Write ``README.md`` into the run folder ``folder``."""
    average = (
        f"\nThe networks hold the moving average of the weights (decay {recipe.average}).\n" if recipe.average else ""
    )
    text = _TEXT.format(
        title=folder.name,
        network=recipe.network,
        height=recipe.data.input_height,
        width=recipe.data.input_width,
        data=recipe.data.path,
        quoted_data=shlex.quote(str(recipe.data.path)),
        epochs=recipe.epochs,
        average=average,
        folder=shlex.quote(str(folder)),
    )
    replace_file(folder / "README.md", text)
