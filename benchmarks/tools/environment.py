"""Separate environments for the peers we compare with, so that our versions need not fit theirs."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_with(requirements: str) -> Path:
    """The interpreter of an environment with ``benchmarks/<requirements>``, created again when that file changes.

    A lock is installed by its hashes. PyTorch is not locked: which build there is depends on the machine.
    """
    path = ROOT / "benchmarks" / requirements
    folder = ROOT / f"build/{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    if not (folder / "ready").exists():
        print(f"making {folder.relative_to(ROOT)} (once)", file=sys.stderr)
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        hashes = ["--no-deps", "--require-hashes"] if path.suffix == ".lock" else []
        install = [uv, "pip", "install", "--quiet", "--python", str(folder), *hashes]
        subprocess.run([*install, "--requirements", str(path)], check=True)
        (folder / "ready").touch()
    return folder / "bin/python"
