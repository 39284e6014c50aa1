"""The README and docs/ name only what is there, and their commands parse; Compose's are in tests/containers."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import contract.__main__
import converter.arguments
import gateway.__main__
import segclient.commands.cli
import trainer.commands.cli
from gateway.settings import variables

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKS = sorted(
    {(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())}, key=str
)
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

PARSERS = {
    "contract": contract.__main__.create_parser,
    "converter": converter.arguments.create_parser,
    "gateway": gateway.__main__.create_parser,
    "segclient": segclient.commands.cli.create_parser,
    "trainer": trainer.commands.cli.create_parser,
}
# A command of ours at the beginning of a line, behind variables, and what the shell makes of its end.
COMMAND = rf"^(?:\w+=\S+ )*(?:\.venv/bin/)?(?:python -m )?({'|'.join(PARSERS)})(?: (.*?))?(?: *\d?>.*| *\|.*)?$"
COMMANDS = re.findall(COMMAND, README.replace("\\\n", ""), re.MULTILINE)


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page.name}: {link}" for page, link in LINKS])
def test_every_link_leads_somewhere(page: Path, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    assert target.exists()
    if anchor:
        assert anchor in [as_anchor(heading) for heading in re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)]


def as_anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"(?<![\w/.-])(?:services|scripts|tests|benchmarks|deploy|docs)/[\w./-]*\w", README)))
)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", README, re.MULTILINE))))
def test_every_make_target_exists(target: str) -> None:
    # Of its prerequisites, only .venv's making is at stake, and -n makes nothing.
    asked = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_every_variable_is_one_that_something_reads(page: str) -> None:
    readers = ["Makefile", ".env.example", "scripts/*", "docker-compose*.yml", "services/*/Dockerfile*"]
    read = "\n".join([*variables(), *(path.read_text() for pattern in readers for path in ROOT.glob(pattern))])
    text = (ROOT / page).read_text()
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)) | set(re.findall(r"\b([A-Z]{2,})=", text))
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", read)] == []


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m (\w+(?: [a-z][a-z-]+)*)", README))))
def test_every_command_is_known(command: str) -> None:
    asked = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize(("module", "arguments"), COMMANDS, ids=[" ".join(command) for command in COMMANDS])
def test_every_command_line_parses(module: str, arguments: str) -> None:
    PARSERS[module]().parse_args(shlex.split(arguments, comments=True))  # exits where it does not


def test_there_are_command_lines_of_every_kind() -> None:
    assert {module for module, _ in COMMANDS} == set(PARSERS)
