"""What the tests that cross services share."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


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
