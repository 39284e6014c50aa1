"""The dry run's environment: created once by uv in the user's cache, and reused until its lock file changes.

Creating a new one removes those of earlier lock files, unless a dry run is using them.
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
from converter.target import print_progress

_LOCK = Path(__file__).resolve().parents[3] / "requirements-dry-run.lock"
_PYTHON = "3.10"
_PREFIX, _UNFINISHED = "dry-run-", ".tmp-dry-run-"
_DOWNLOAD_GB, _INSTALLED_GB = 2.2, 4.4
# The folders of the TensorRT and NVIDIA wheels' libraries, below site-packages.
_LIBRARIES = ("tensorrt", "nvidia/cublas/lib", "nvidia/cuda_runtime/lib", "nvidia/cuda_nvrtc/lib", "nvidia/cudnn/lib")


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """The environment's interpreter, locked against removal; it is created first if necessary, with a message.

    Raises:
        ConverterError: not supported on this machine; uv, Python 3.10 or the packages are unavailable; or it is broken.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ConverterError("the dry run needs Linux on x86_64, because TensorRT's packages exist only for that")
    if not _LOCK.is_file():
        raise ConverterError(f"the dry run needs {_LOCK}, which does not exist: run it in a checkout")
    folder = _cache() / f"{_PREFIX}{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]}"
    lock = _lock(folder, fcntl.LOCK_SH)
    while lock is None:
        _create(folder)
        lock = _lock(folder, fcntl.LOCK_SH)
    try:
        interpreter = folder / "bin/python"
        # A link to the Python that it was created with.
        if interpreter.is_symlink() and not interpreter.exists():
            raise ConverterError(
                f"the Python of the dry run's environment was removed: remove {folder}, to create it again"
            )
        yield interpreter
    finally:
        os.close(lock)


def libraries(python: Path) -> List[Path]:
    """The folders of shared libraries that the process needs."""
    packages = python.parents[1] / f"lib/python{_PYTHON}/site-packages"
    return [packages / name for name in _LIBRARIES]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segstack"


def _create(folder: Path) -> None:
    uv = next(filter(None, (shutil.which(str(path)) for path in (Path(sys.executable).with_name("uv"), "uv"))), None)
    if uv is None:
        raise ConverterError("the dry run creates its environment with uv, which was not found: pip install uv")
    folder.parent.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(str(folder.parent)).free / 1e9
    if free_gb < _INSTALLED_GB:
        raise ConverterError(
            f"the dry run's environment takes {_INSTALLED_GB} GB, but {folder.parent} has {free_gb:.1f} GB free: free "
            "some space, or set XDG_CACHE_HOME to another folder"
        )
    with (folder.parent / ".dry-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():  # another process has created it meanwhile
            return
        for leftover in folder.parent.glob(_UNFINISHED + "*"):
            shutil.rmtree(str(leftover))
        print_progress(
            f"creating the dry run's environment (only this time) in {folder}: TensorFlow 2.14.1 with TensorRT 8.5.3, "
            f"{_DOWNLOAD_GB} GB to download, {_INSTALLED_GB} GB on disk"
        )
        # Renamed only once it is complete.
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
        lock = _lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is None:
            continue
        try:
            print_progress(f"removing {other}, the environment of another lock file")
            # Renamed first, so that under its own name it is always complete.
            hidden = other.with_name(f".tmp-{other.name}")
            other.rename(hidden)
        finally:
            os.close(lock)
        shutil.rmtree(str(hidden))


def _lock(folder: Path, operation: int) -> Optional[int]:
    """A descriptor of ``folder`` that locks it; None if it does not exist, or is in use with ``LOCK_NB``."""
    try:
        descriptor = os.open(str(folder), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, operation)
        if folder.is_dir():  # not removed while this waited
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def _uv(uv: str, what: str, *arguments: str) -> None:
    # Its progress and errors go to standard error.
    if subprocess.run([uv, *arguments], env=_environment(), check=False).returncode != 0:  # noqa: S603
        raise ConverterError(f"the dry run's environment was not created: uv failed to install {what}, see above")


def _environment() -> Dict[str, str]:
    """This process's environment with pyenv's Pythons on PATH, and without this Python's own variables."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    pythons = sorted(str(folder) for folder in pyenv.glob(f"versions/{_PYTHON}.*/bin"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *pythons])}
