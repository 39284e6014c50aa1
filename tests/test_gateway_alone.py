"""The gateway's tests in an environment with its lock file only: no TensorFlow, installed as in its image."""

import shutil
import sys
from pathlib import Path

import pytest

from segstack_testing.waiting import scaled

ROOT = Path(__file__).parents[1]
SERVICES = ROOT / "services"
UV = Path(sys.executable).with_name("uv")
TEST_TOOLS = ["httpx", "hypothesis", "pillow", "pycocotools", "pytest", "pytest-timeout", "trustme"]

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(scaled(600))]


@pytest.fixture(scope="module")
def environment(run_apart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lock file, the two packages, and the test tools in the versions of requirements-dev.lock."""
    environment = tmp_path_factory.mktemp("gateway") / "environment"
    run_apart(UV, "venv", "--quiet", "--python", sys.executable, environment)
    install = [UV, "pip", "install", "--quiet", "--python", environment]
    run_apart(*install, "--no-deps", "--require-hashes", "--requirements", SERVICES / "gateway/requirements.lock")
    run_apart(*install, "--no-deps", SERVICES / "contract", SERVICES / "gateway")
    run_apart(*install, "--constraints", ROOT / "requirements-dev.lock", *TEST_TOOLS)
    return environment


@pytest.fixture(scope="module")
def python(environment: Path) -> Path:
    return environment / "bin/python"


def test_lock_file_is_complete(run_apart, environment: Path) -> None:
    run_apart(UV, "pip", "check", "--python", environment)


@pytest.mark.parametrize("module", ["tensorflow", "keras", "tensorflow_serving"])
def test_tensorflow_cannot_be_imported(run_apart, python: Path, module: str) -> None:
    found = run_apart(python, "-c", f"import importlib.util; print(importlib.util.find_spec('{module}'))")
    assert found.strip() == "None"


def test_gateways_tests_pass_in_it(run_apart, python: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    helpers = tmp_path / "helpers"
    for source, copy in (
        (SERVICES / "gateway/tests", tests),
        (ROOT / "tests/segstack_testing", helpers / "segstack_testing"),
    ):
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SERVICES / "gateway/grafana", tmp_path / "grafana")
    shutil.copy(SERVICES / "gateway/PROTOCOL.md", tmp_path)
    output = run_apart(
        python,
        "-m",
        "pytest",
        "--import-mode=importlib",
        "-W",
        "error",
        "-m",
        "not (gateway or stream)",
        "-o",
        "markers=gateway: long\nstream: long",
        "-o",
        f"pythonpath={helpers}",
        tests,
        cwd=tmp_path,
    )
    assert " passed" in output
    assert "skipped" not in output
