"""Checks of every Dockerfile that need no build."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers

SERVICES = Path(__file__).parents[2] / "services"
DOCKERFILES = sorted(SERVICES.glob("*/Dockerfile*"))

every_dockerfile = pytest.mark.parametrize(
    "dockerfile", DOCKERFILES, ids=[f"{p.parent.name}/{p.name}" for p in DOCKERFILES]
)


def test_every_service_has_one() -> None:
    assert {path.parent.name for path in DOCKERFILES} == {"trainer", "converter", "serving", "gateway"}


@every_dockerfile
def test_hadolint_reports_nothing(hadolint: Path, dockerfile: Path) -> None:
    result = subprocess.run([hadolint, "--no-color", dockerfile], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@every_dockerfile
def test_what_is_copied_from_the_repository_exists(root: Path, dockerfile: Path) -> None:
    text = dockerfile.read_text().replace("\\\n", " ")
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    assert copied
    for source in [source for sources in copied for source in sources if not source.startswith("--")]:
        path = re.sub(r"\$\{(\w+)\}", lambda name: defaults[name.group(1)], source)
        assert list(root.glob(path)), f"{path}: expected in the repository, relative to its root"


@every_dockerfile
def test_base_images_are_pinned(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    for image in re.findall(r"^FROM (?:--\S+ )?(\S+)", text, re.MULTILINE):
        named = re.sub(r"\$\{(\w+)\}", lambda name: defaults[name.group(1)], image)
        assert re.search(r":(?!latest).+|@sha256:", named), f"{named} names no version"


@every_dockerfile
def test_base_images_can_be_replaced(dockerfile: Path) -> None:
    bases = re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
    assert bases
    assert [base for base in bases if not re.fullmatch(r"\$\{[A-Z_]+_IMAGE\}", base)] == []


@every_dockerfile
def test_installed_packages_are_cached_when_only_code_changes(dockerfile: Path) -> None:
    for stage in re.split(r"^FROM ", dockerfile.read_text(), flags=re.MULTILINE)[1:]:
        install = re.search(r"python -m pip .*\binstall\b", stage)
        if install:
            copied = re.findall(r"^COPY (\S+)", stage[: install.start()], re.MULTILINE)
            assert len(copied) == 1
            assert copied[0].endswith((".lock", "${REQUIREMENTS}")), copied


@every_dockerfile
def test_values_that_differ_between_builds_come_last(dockerfile: Path) -> None:
    _, _, last = dockerfile.read_text().partition("ARG SEGSTACK_VERSION=unversioned\n")
    assert last
    assert not re.search(r"^(RUN|COPY|FROM) ", last, re.MULTILINE)
