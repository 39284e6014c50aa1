"""Every documented `docker compose` command agrees with the compose files."""

import json
import os
import re
import shutil
import subprocess

import pytest

from segstack_testing.documented import PAGES, ROOT, Command, commands, parsing_error

pytestmark = pytest.mark.containers

COMMANDS = sorted({c.arguments for c in commands() if c.program == "compose" and c.arguments})
# Compose files that a page shows for the reader to write; the first line has the name.
SHOWN_FILES = {
    name: text
    for page in PAGES
    for text, name in re.findall(r"```yaml\n(# (docker-compose\.\w+\.yml).*?)```", page.read_text(), re.DOTALL)
}
GLOBAL_OPTIONS = ("-f", "--profile")

every_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def split(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The options before the verb, and the verb with what follows."""
    verb = 0
    while words[verb] in GLOBAL_OPTIONS:
        verb += 2
    return list(words[:verb]), list(words[verb:])


@pytest.fixture(scope="module")
def run_compose(compose: list[str], tmp_path_factory: pytest.TempPathFactory):
    """``run_compose(*words)``: the output of Compose, with our compose files and those that the pages show."""
    folder = tmp_path_factory.mktemp("checkout")
    for file in ROOT.glob("docker-compose*.yml"):
        shutil.copy(file, folder)
    for name, text in SHOWN_FILES.items():
        (folder / name).write_text(text)

    def run_compose(*words: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
        result = subprocess.run(
            [*compose, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run_compose


@every_command
def test_compose_knows_its_options(run_compose, words: tuple[str, ...]) -> None:
    options, (verb, *rest) = split(words)
    assert "Usage:" in run_compose(*options, verb, "--help", *rest)  # an unknown flag is an error before help is given


@every_command
def test_its_files_profiles_and_services_are_there(run_compose, words: tuple[str, ...]) -> None:
    options, (verb, *rest) = split(words)
    files = [word for pair in zip(options[::2], options[1::2], strict=True) if pair[0] == "-f" for word in pair]
    services = json.loads(run_compose(*files, "--profile", "*", "config", "--format", "json"))["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    named = [options[i + 1] for i, option in enumerate(options) if option == "--profile"]
    assert set(named) <= profiles
    if verb == "run":
        first = next(i for i, word in enumerate(rest) if word in services)
        assert parsing_error(in_container(rest[first], rest[first + 1 :])) is None
    else:
        assert {word for word in rest if not word.startswith("-")} <= set(services)


def in_container(service: str, arguments: list[str]) -> Command:
    """The command that runs in the container: the entry point of the service's Dockerfile."""
    dockerfile = (ROOT / "services" / service / "Dockerfile").read_text()
    entry_point = json.loads(re.findall(r"^ENTRYPOINT (.*)", dockerfile, re.MULTILINE)[-1])
    return Command("in its container:", entry_point[0], (*entry_point[1:], *arguments))


def test_the_readme_starts_the_stack_with_and_without_a_gpu() -> None:
    started = {tuple(split(words)[0][1::2]) for words in COMMANDS if words[-3:] == ("up", "serving", "gateway")}
    assert started == {
        (),
        ("docker-compose.yml", "docker-compose.cpu.yml"),
        ("docker-compose.yml", "docker-compose.embedded.yml"),
    }


def test_gpus_through_the_nvidia_runtime_as_documented(run_compose) -> None:
    files = ["-f", "docker-compose.yml", "-f", "docker-compose.runtime.yml"]
    service = json.loads(run_compose(*files, "config", "--format", "json"))["services"]["serving"]
    assert service["runtime"] == "nvidia"
    assert service["environment"]["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert "reservations" not in service["deploy"]["resources"]
