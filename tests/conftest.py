"""What the tests that cross services share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[1] / "services/trainer/recipes/demo.yaml"


@pytest.fixture(scope="session")
def find_python() -> Callable[[str], Path | None]:
    """``find_python("3.8")``: an interpreter of that version, from pyenv's folder or PATH, or None."""

    def find(version: str) -> Path | None:
        return next((python for python in _candidates(version) if _is_python(python, version)), None)

    return find


def _candidates(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)


def _is_python(python: Path, version: str) -> bool:
    """Asked for by running it: a shim of pyenv's may stand for a version that is not there."""
    ask = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


@pytest.fixture(scope="session")
def small_models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with version 1 of the model ``small``, made as a person makes one, from drawing to publishing.

    Its run folder is ``run`` and its data set ``data``, beside the repository.
    """
    folder = tmp_path_factory.mktemp("small")
    for command in (
        "data synthesize --output drawn --images 60 --size 96 128",
        "data import-cvat drawn --output data",
        f"train --config {RECIPE} --data data --run run --set epochs=1 --set data.input_height=64 "
        "--set data.input_width=96 --set optimizer.warmup_steps=2",
        "export --run run --name small",
    ):
        subprocess.run([sys.executable, "-m", "trainer", *command.split()], cwd=folder, check=True)
    return folder / "models_repo"
