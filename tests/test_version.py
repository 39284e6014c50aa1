"""The version is defined in one file, and everything that shows a version shows that one."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import contract
from gateway.app import create_app
from gateway.settings import Settings

ROOT = Path(__file__).parents[1]
THE_FILE = ROOT / "services/contract/contract/version.py"
PROJECTS = [*sorted(ROOT.glob("services/*/pyproject.toml")), ROOT / "clients/pyproject.toml"]

every_project = pytest.mark.parametrize("pyproject", PROJECTS, ids=[path.parent.name for path in PROJECTS])


@every_project
def test_every_package_takes_its_version_from_the_contract(pyproject: Path) -> None:
    content = tomllib.loads(pyproject.read_text())
    assert "version" not in content["project"]
    assert content["project"]["dynamic"] == ["version"]
    assert (pyproject.parent / content["tool"]["hatch"]["version"]["path"]).resolve() == THE_FILE


@every_project
def test_installed_packages_have_this_version(pyproject: Path) -> None:
    name = tomllib.loads(pyproject.read_text())["project"]["name"]
    assert metadata.version(name) == contract.__version__, "`make setup` installs it again"


@pytest.mark.parametrize("module", ["contract", "trainer", "converter", "serving", "gateway", "segclient"])
def test_version_option_prints_it(module: str) -> None:
    result = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False)
    name = "segstack" if module == "contract" else module
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{name} {contract.__version__}\n", "")


def test_openapi_has_it() -> None:
    assert create_app(Settings()).openapi()["info"]["version"] == contract.__version__


def test_changelog_begins_with_it() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] in ("Unreleased", contract.__version__)
