"""Links, paths and variables of the README and of docs/ exist. Commands: test_documented_commands.py."""

import re
from pathlib import Path

import pytest

from gateway.settings import variables

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKS = sorted(
    {(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())}, key=str
)
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_is_closed(page: Path) -> None:
    fences = re.findall(r"^```(\w*)$", page.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert not any(fences[1::2]), "a block begins inside another"


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page.name}: {link}" for page, link in LINKS])
def test_every_link_has_a_target(page: Path, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    assert target.exists()
    if anchor:
        assert anchor in [as_anchor(heading) for heading in re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)]


def as_anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "path",
    sorted(set(re.findall(r"(?<![\w/.-])(?:services|scripts|tests|benchmarks|deploy|docs)/[\w./-]*\w(?![\w<])", TEXT))),
)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_contributing_names_files_by_their_whole_path() -> None:
    named = re.findall(r"`([\w./<>-]+/[\w./<>-]*|[\w<>-]+\.py)`", (ROOT / "docs/contributing.md").read_text())
    assert named
    # <name> is the contributor's choice; the folder before it exists.
    exist = [path if "<" not in path else path.partition("<")[0].rpartition("/")[0] or "missing" for path in named]
    assert [path for path in exist if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_every_variable_is_read_by_something(page: str) -> None:
    readers = ["Makefile", ".env.example", "scripts/*", "docker-compose*.yml", "services/*/Dockerfile*"]
    read = "\n".join([*variables(), *(path.read_text() for pattern in readers for path in ROOT.glob(pattern))])
    text = (ROOT / page).read_text()
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)) | set(re.findall(r"\b([A-Z]{2,})=", text))
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", read)] == []
