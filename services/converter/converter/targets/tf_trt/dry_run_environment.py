"""The dry run's environment: made once, by uv, in the user's cache, and found again as long as its lock file stays.

When another one is made, for another lock file, those of earlier ones go, unless a dry run is at work in them.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from converter.errors import ConverterError

_LOCK = Path(__file__).resolve().parents[3] / "requirements-dry-run.lock"
_PYTHON = "3.10"
_PREFIX, _UNFINISHED = "dry-run-", ".tmp-dry-run-"
_DOWNLOAD_GB, _INSTALLED_GB = 2.2, 4.4
# Where the wheels of TensorRT and NVIDIA have their libraries, below site-packages.
_LIBRARIES = ("tensorrt", "nvidia/cublas/lib", "nvidia/cuda_runtime/lib", "nvidia/cuda_nvrtc/lib", "nvidia/cudnn/lib")


@contextlib.contextmanager
def held() -> Iterator[Path]:
    """The environment's interpreter, which nobody removes meanwhile.

    Where there is none yet, standard error says what is being made, how large, where, and what is removed for it.

    Raises:
        ConverterError: this machine cannot have it, uv, Python 3.10 or the packages are not to be had, or it is broken.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ConverterError("the dry run needs Linux on x86_64, which TensorRT's packages are for")
    if not _LOCK.is_file():
        raise ConverterError(f"the dry run is installed from {_LOCK}, which is not there: run it in a checkout")
    folder = _cache() / f"{_PREFIX}{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]}"
    hold = _locked(folder, fcntl.LOCK_SH)
    while hold is None:
        _make(folder)
        hold = _locked(folder, fcntl.LOCK_SH)
    try:
        interpreter = folder / "bin/python"
        # A link to the Python that it was made with.
        if interpreter.is_symlink() and not interpreter.exists():
            raise ConverterError(f"the Python that the dry run's environment was made with is gone: remove {folder}")
        yield interpreter
    finally:
        os.close(hold)


def libraries(python: Path) -> List[Path]:
    """The folders that the process must find its libraries in."""
    packages = python.parents[1] / f"lib/python{_PYTHON}/site-packages"
    return [packages / name for name in _LIBRARIES]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segstack"


def _make(folder: Path) -> None:
    uv = next(filter(None, (shutil.which(str(place)) for place in (Path(sys.executable).with_name("uv"), "uv"))), None)
    if uv is None:
        raise ConverterError("the dry run makes an environment of its own with uv, which is not here: pip install uv")
    folder.parent.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(str(folder.parent)).free / 1e9
    if free_gb < _INSTALLED_GB:
        raise ConverterError(
            f"the dry run's environment takes {_INSTALLED_GB} GB, and {folder.parent} has {free_gb:.1f} GB left: make "
            "room, or name another place in XDG_CACHE_HOME"
        )
    with (folder.parent / ".dry-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():  # made by somebody else meanwhile
            return
        for killed in folder.parent.glob(_UNFINISHED + "*"):
            shutil.rmtree(str(killed))
        print(
            f"converter: once, the dry run's environment is made in {folder}: TensorFlow 2.14.1 with TensorRT 8.5.3, "
            f"{_DOWNLOAD_GB} GB to download, {_INSTALLED_GB} GB on disk",
            file=sys.stderr,
        )
        # Under its own name only once it is whole.
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=str(folder.parent)))
        try:
            _uv(uv, f"Python {_PYTHON}", "venv", "--clear", "--python", _PYTHON, str(unfinished))
            install = ["--python", str(unfinished), "--no-deps", "--require-hashes", "-r", str(_LOCK)]
            _uv(uv, "its packages", "pip", "install", *install)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(str(unfinished), ignore_errors=True)
        _remove_others(folder)


def _remove_others(folder: Path) -> None:
    for other in sorted(folder.parent.glob(_PREFIX + "*")):
        if other == folder:
            continue
        hold = _locked(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if hold is None:
            continue
        try:
            print(f"converter: {other}, the environment of another lock file, is removed", file=sys.stderr)
            # Renamed first: under its own name it is whole, or not there.
            hidden = other.with_name(f".tmp-{other.name}")
            other.rename(hidden)
        finally:
            os.close(hold)
        shutil.rmtree(str(hidden))


def _locked(folder: Path, how: int) -> Optional[int]:
    """A descriptor of ``folder`` that holds a lock on it; None if it is not there or, asked not to wait, is in use."""
    try:
        descriptor = os.open(str(folder), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, how)
        if folder.is_dir():  # removed while this waited
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def _uv(uv: str, what: str, *arguments: str) -> None:
    # Its progress and its reasons go to standard error as they are.
    if subprocess.run([uv, *arguments], env=_environment(), check=False).returncode != 0:  # noqa: S603
        raise ConverterError(f"the dry run's environment was not made: uv could not get {what}, and says why above")


def _environment() -> Dict[str, str]:
    """As here, with pyenv's Pythons, which are on no PATH unless chosen; and none of this environment's own."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    pythons = sorted(str(folder) for folder in pyenv.glob(f"versions/{_PYTHON}.*/bin"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *pythons])}
