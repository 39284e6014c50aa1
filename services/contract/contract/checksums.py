"""``assets.extra/SHA256SUMS``: the checksums of a version's files when it was published.

A published version never changes, so a file that is missing or differs was damaged. The format is that of GNU
coreutils: ``sha256sum -c assets.extra/SHA256SUMS`` in the version's folder verifies it by hand.
"""

import hashlib
from pathlib import Path
from typing import Dict, Optional

SUMS_PATH = Path("assets.extra", "SHA256SUMS")

_CHUNK_BYTES = 1 << 20


def write(folder: Path) -> None:
    """Write the checksums of all files below ``folder``, replacing earlier ones."""
    lines = [f"{digest}  {path}\n" for path, digest in of(folder).items()]
    (folder / SUMS_PATH).write_text("".join(lines), encoding="utf-8")


def of(folder: Path) -> Dict[str, str]:
    """Compute the SHA-256 of every file below ``folder``: hexadecimal digests by relative path."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix(): _sha256(folder / path) for path in paths if path != SUMS_PATH}


def read(folder: Path) -> Optional[Dict[str, str]]:
    """The recorded checksums of a version by path, or None if there are none: Segstack did not publish it.

    Raises:
        ValueError: the file itself is damaged.
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
    """The first damage found in a version, or None; reads every file.

    Of a version without checksums, only the presence of ``saved_model.pb`` can be checked.
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
            return f"{path} differs from what was published"
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
