"""One small network, trained and published once a run for every test that needs a real one.

Each function fills an empty folder, for the fixture ``make_once`` of the root conftest.py.
"""

import warnings
from pathlib import Path

NAME = "small"
HEIGHT, WIDTH = 64, 96

RECIPE = f"""
network: ddrnet23_slim
data:
  path: {{data}}
  input_height: {HEIGHT}
  input_width: {WIDTH}
  batch_size: 4
optimizer: {{{{name: adamw, learning_rate: 0.002, warmup_steps: 0}}}}
epochs: 1
"""


def draw(folder: Path) -> None:
    """``export``, 96 drawn images of 64x96 as CVAT exports them, and ``data``, the same imported."""
    _command("data", "synthesize", "--output", folder / "export", "--images", 96, "--size", HEIGHT, WIDTH, "--seed", 1)
    _command("data", "import", "cvat", folder / "export", "--output", folder / "data")


def train(folder: Path, data: Path) -> None:
    """``run``, what one epoch over ``data`` leaves, and ``recipe.yaml``."""
    (folder / "recipe.yaml").write_text(RECIPE.format(data=data))
    with warnings.catch_warnings():
        # Keras has not followed NumPy 2 where it saves a variable: its __array__ takes no copy.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning, module="keras")
        _command("train", data, "--config", folder / "recipe.yaml", "--run", folder / "run")


def publish(folder: Path, run: Path, data: Path) -> None:
    """``models_repo`` with version 1 of ``small``, and links to the ``run`` and ``data`` that it comes from."""
    (folder / "run").symlink_to(run)
    (folder / "data").symlink_to(data)
    _command("export", "--run", run, "--name", NAME, "--models-root", folder / "models_repo")


def _command(*words: object) -> None:
    """Run ``segstack WORDS`` in this process, which has imported TensorFlow anyway."""
    from trainer.commands.cli import main

    status = main([str(word) for word in words])
    assert status == 0, f"trainer {' '.join(map(str, words))}: exit status {status}"
