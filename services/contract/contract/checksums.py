"""``assets.extra/SHA256SUMS``: what every file of a version contained when it was published.

A version never changes once it has its name, so a file that is missing or reads otherwise was damaged. The format is
that of GNU coreutils: ``sha256sum -c assets.extra/SHA256SUMS`` in the version's folder checks it by hand.
"""

import hashlib
from pathlib import Path
from typing import Dict, Optional

SUMS_PATH = Path("assets.extra", "SHA256SUMS")

_CHUNK_BYTES = 1 << 20


def write(folder: Path) -> None:
    """Write the sums of all files below ``folder``, in place of those that are there."""
    lines = [f"{digest}  {path}\n" for path, digest in of(folder).items()]
    (folder / SUMS_PATH).write_text("".join(lines), encoding="utf-8")


def of(folder: Path) -> Dict[str, str]:
    """The SHA-256 of every file below ``folder``, in hexadecimal, by its path there; read anew."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix(): _sha256(folder / path) for path in paths if path != SUMS_PATH}


def read(folder: Path) -> Optional[Dict[str, str]]:
    """The sums of a version by path, or None where it has none: it was not published by Segstack.

    Raises:
        ValueError: the file is damaged itself.
    """
    try:
        lines = (folder / SUMS_PATH).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    sums = {line[66:]: line[:64] for line in lines if line[64:66] == "  "}
    if len(sums) != len(lines):
        raise ValueError(f"{SUMS_PATH} is damaged")
    return sums


def damage(folder: Path) -> Optional[str]:
    """The first thing wrong with a version, or None; reads every file.

    Of a version without sums nothing can be said but that it has a ``saved_model.pb``.
    """
    try:
        sums = read(folder)
    except ValueError as error:
        return str(error)
    if not (folder / "saved_model.pb").is_file():
        return "saved_model.pb is missing"
    for path, expected in (sums or {}).items():
        if not (folder / path).is_file():
            return f"{path} is missing"
        if _sha256(folder / path) != expected:
            return f"{path} is not what was published"
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
