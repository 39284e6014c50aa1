"""docs/architecture.md names every folder of code, and the folders keep to their sizes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    "services/contract/contract",
    "services/trainer/trainer",
    "services/converter/converter",
    "services/serving/serving",
    "services/gateway/gateway",
    "clients/segclient",
]
MAX_FILES = 16
MAX_ENTRIES = {"services/gateway/gateway": 20, "services/trainer/trainer": 22}
SHORT_LINES, MAX_SHORT_FILES = 40, 10


def code_folders(package: str) -> dict[str, list[Path]]:
    """The package's folder and every folder below it that holds Python files, with those files."""
    folders: dict[str, list[Path]] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        folders.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(path)
    return folders


def parse_tree(text: str) -> Iterator[tuple[str, list[str]]]:
    """The folders of a text tree, each with the modules that its own lines name.

    ``name/`` is a folder in the folder of the line above that is indented less; names without a slash are modules of
    that folder. What follows two spaces describes the line.
    """
    parents: list[tuple[int, str]] = []
    for line in filter(str.strip, text.splitlines()):
        indent = len(line) - len(line.lstrip())
        names = re.split(r" {2,}", line.strip())[0].split()
        while parents and parents[-1][0] >= indent:
            parents.pop()
        above = parents[-1][1] if parents else ""
        for name in names:
            if name.endswith("/"):
                parents.append((indent, f"{above}{name}"))
                yield parents[-1][1].rstrip("/"), []
            else:
                yield above.rstrip("/"), [name]


@pytest.fixture(scope="module")
def tree() -> list[tuple[str, list[str]]]:
    """The page's one block that begins with the folder of a package."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    [block] = [block for block in blocks if re.match(r"(services|clients)/\w+", block)]
    return list(parse_tree(block))


def test_a_tree_is_read_by_its_indentation() -> None:
    text = "a/b/  a package\n  main settings  modules\n  c/ d/   two folders\n    e/\nf/\n  g/"
    assert list(parse_tree(text)) == [
        ("a/b", []),
        ("a/b", ["main"]),
        ("a/b", ["settings"]),
        ("a/b/c", []),
        ("a/b/d", []),
        ("a/b/d/e", []),
        ("f", []),
        ("f/g", []),
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_lists_every_folder_of_code_and_no_other(tree, package: str) -> None:
    listed = {folder for folder, _ in tree if folder == package or folder.startswith(f"{package}/")}
    missing = set(code_folders(package)) - listed
    assert not missing, f"docs/architecture.md does not list {sorted(missing)}"
    gone = {folder for folder in listed if not (ROOT / folder).is_dir()}
    assert not gone, f"docs/architecture.md lists {sorted(gone)}, which are not there"


def test_the_page_lists_packages_and_what_is_in_them_alone(tree) -> None:
    assert {folder for folder, _ in tree if not any(f"{folder}/".startswith(f"{p}/") for p in PACKAGES)} == set()


def test_every_module_that_the_page_names_exists(tree) -> None:
    named = [ROOT / folder / module for folder, modules in tree for module in modules]
    assert [path for path in named if not path.with_name(f"{path.name}.py").exists()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_holds_more_than_sixteen_files(package: str) -> None:
    counts = {folder: len(files) for folder, files in code_folders(package).items()}
    assert {folder: count for folder, count in counts.items() if count > MAX_FILES} == {}


@pytest.mark.parametrize(("package", "most"), MAX_ENTRIES.items())
def test_a_package_can_be_seen_at_one_glance(package: str, most: int) -> None:
    entries = {path.name for path in (ROOT / package).iterdir() if path.name != "__pycache__"}
    assert len(entries) <= most, sorted(entries)


def test_few_files_are_short() -> None:
    files = [file for package in PACKAGES for files in code_folders(package).values() for file in files]
    named = [file for file in files if not re.search(r"^__(init|main)__\.py$|_pb2\.py$", file.name)]
    short = [file.relative_to(ROOT).as_posix() for file in named if len(file.read_text().splitlines()) < SHORT_LINES]
    assert len(short) <= MAX_SHORT_FILES, f"merge those that one module imports: {short}"
