"""The contract's tests on every supported Python, 3.8 (the converter's) to 3.13, with only pytest installed."""

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from segstack_testing.waiting import scaled

TESTS = Path(__file__).parent
CONTRACT = TESTS.parent / "services" / "contract"
UV = Path(sys.executable).with_name("uv")

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(scaled(600))]


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_contract_on_the_oldest_and_newest_python(version, find_python, run_apart, tmp_path):
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version}: install one with pyenv, or put python{version} on PATH")
    check_contract_on(run_apart, python, tmp_path)


def test_contract_on_the_installed_pythons_between(find_python, run_apart, tmp_path):
    here = {version: find_python(version) for version in ["3.9", "3.10", "3.11", "3.12"]}
    if not any(here.values()):
        pytest.skip(f"there is no Python {', '.join(here)}: one is enough; install it with pyenv, or put it on PATH")
    for version, python in here.items():
        if python is not None:
            check_contract_on(run_apart, python, tmp_path / version)


def check_contract_on(run, python, folder):
    """Install the service's folder by itself and run its tests against the installed package."""
    environment, tests = folder / "environment", folder / "tests"
    shutil.copytree(CONTRACT / "tests", tests, ignore=shutil.ignore_patterns("__pycache__"))
    run(UV, "venv", "--quiet", "--python", python, environment)
    run(UV, "pip", "install", "--quiet", "--python", environment, "pytest", CONTRACT)
    pytest_command = [environment / "bin/python", "-m", "pytest", "--import-mode=importlib", "-W", "error"]
    output = run(*pytest_command, "-o", f"pythonpath={shlex.quote(str(TESTS))}", tests, cwd=folder)  # segstack_testing
    assert " passed" in output
    assert "skipped" not in output
