"""The README names only what is there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\b(?:services|scripts|tests|benchmarks)/[\w./-]*\w", README))))
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", README, re.MULTILINE))))
def test_every_make_target_exists(target: str) -> None:
    # Of its prerequisites, only .venv's making is at stake, and -n makes nothing.
    asked = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m (\w+(?: [a-z][a-z-]+)*)", README))))
def test_every_command_is_known(command: str) -> None:
    asked = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr
