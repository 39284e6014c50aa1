"""``segstack`` in every image, where services are copied and not installed, without building one."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = {
    "trainer": "Dockerfile",
    "converter": "Dockerfile",
    "serving": "Dockerfile.embedded",
    "gateway": "Dockerfile",
}


def entry_points(service):
    """What a service's pyproject.toml declares."""
    project = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text())["project"]
    return project["entry-points"]["segstack.commands"]


def build_code_stage(service, folder, python=Path(sys.executable)):
    """Repeat in ``folder`` the stage ``code`` of a service's Dockerfile: its COPY lines, and the writer's RUN."""
    text = (ROOT / "services" / service / SERVICES[service]).read_text()
    stage = text.partition(" AS code\n")[2].partition("\nFROM ")[0]
    for sources, target in re.findall(r"^COPY (.+) (\S+)$", stage, re.MULTILINE):
        for source in sources.split():
            path, copy = ROOT / source, folder / target.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copy.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
    (line,) = re.findall(r"^RUN python (.+write_metadata.+)$", stage, re.MULTILINE)
    words = []
    for word in shlex.split(line):
        words += sorted(folder.glob(word[1:])) if word.startswith("/") else [word]
    subprocess.run([python, *words], check=True)
    return folder / "app"


@pytest.mark.parametrize("service", SERVICES)
def test_image_has_the_commands_of_its_service_and_of_the_contract(service, tmp_path):
    app = build_code_stage(service, tmp_path)
    found = {
        (point.name, point.value)
        for distribution in metadata.distributions(path=[str(app)])
        for point in distribution.entry_points
        if point.group == "segstack.commands"
    }
    assert found == {*entry_points(service).items(), *entry_points("contract").items()}


@pytest.mark.parametrize("service", SERVICES)
def test_dockerfile_puts_segstack_on_the_path_and_starts_it(service):
    text = (ROOT / "services" / service / SERVICES[service]).read_text()
    assert re.search(r"^\s*(ENV )?PATH=/app/bin:", text, re.MULTILINE)
    assert re.search(r'^(ENTRYPOINT|CMD) \["segstack"', text, re.MULTILINE)


def run_segstack(app, python, *arguments):
    """Run the image's ``segstack`` with a Python that has nothing installed."""
    path = app / "bin"
    interpreter = shlex.split((path / "segstack").read_text().splitlines()[0])[-1]
    (path / interpreter).symlink_to(python)
    environment = {"PATH": f"{path}:{os.environ['PATH']}", "PYTHONPATH": str(app)}
    return subprocess.run(["segstack", *arguments], env=environment, capture_output=True, text=True, check=True).stdout


def test_segstack_runs_in_an_image(tmp_path):
    app = build_code_stage("trainer", tmp_path)
    bare = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    lines = run_segstack(app, bare, "--help").splitlines()
    missing = {line.split()[0] for line in lines if "[needs segstack-" in line}
    assert missing == {"convert", "serve", "gateway"}


@pytest.mark.other_python
def test_segstack_runs_on_the_converters_python(tmp_path, find_python):
    python = find_python("3.8")
    if python is None:
        pytest.skip("there is no Python 3.8: install one with pyenv, or put python3.8 on PATH")
    app = build_code_stage("converter", tmp_path, python)
    assert "rollback" in run_segstack(app, python, "models", "--help")
