"""The README and docs/ name only what is there."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from trainer.cli import create_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKS = sorted(
    {page.parent / link for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())}
)
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_every_link_leads_somewhere(link: Path) -> None:
    assert link.exists()


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


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^\.venv/bin/python -m trainer (.*)$", README.replace("\\\n", ""), re.MULTILINE)))
)
def test_every_option_of_the_trainer_is_known(command: str) -> None:
    create_parser().parse_args(shlex.split(command, comments=True))  # exits where it is not
