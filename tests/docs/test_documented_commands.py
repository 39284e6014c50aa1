"""Every command that README and docs print is one that its program takes, and what takes seconds is run."""

import dataclasses
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract import ClassInfo, ModelCard, publish
from contract.repository.labels import label
from segstack_testing import small_model
from segstack_testing.documented import ROOT, Command, commands, parsing_error, run

COMMANDS = commands()
OURS = [c for c in COMMANDS if c.program not in ("make", "compose") and "COMMAND" not in c.arguments]
MAKES = [c for c in COMMANDS if c.program == "make"]

# Of segstack's verbs, and of the modules behind them: those whose commands are run here.
DATA = ("import", "validate", "preview", "frames", "build", "synthesize", "augment", "blank-masks")
REPOSITORY = ("list", "label", "rollback", "prune", "remove")
# What cannot run in seconds, or anywhere: a name to fill in, a download, a camera, a server.
NOT_HERE = re.compile(r"\b(NAME|VIDEO|SOURCE|tfds|cityscapes)\b|--serving|^0$|^oxford_iiit_pet$")


def verb(command: Command) -> str | None:
    """``data``, ``models`` or ``network`` where the command can be run here, else None."""
    words = [word for word in command.arguments if word not in ("data", "models")]
    if not command.is_whole or command.program not in ("segstack", "trainer", "contract") or not words:
        return None
    if any(NOT_HERE.search(word) for word in command.arguments):
        return None
    if words[0] in REPOSITORY:
        return "models"
    if words[0] in DATA:
        return "data"
    return "network" if words[0] in ("evaluate", "predict") else None


RUN_HERE = [
    # Networks of run folders have to be built first, and the drawn set has 600 images: a minute for all of them.
    pytest.param(command, marks=[pytest.mark.demo] if re.search(r"\bruns/|synthesize", str(command)) else [])
    for command in OURS
    if verb(command)
]


@pytest.mark.parametrize("command", OURS, ids=str)
def test_its_own_parser_takes_it(command: Command) -> None:
    assert parsing_error(command) is None


@pytest.mark.parametrize("program", sorted({c.program for c in OURS} - {"serving"}))
def test_a_parser_refuses_what_it_does_not_know(program: str) -> None:
    first = next(c for c in OURS if c.program == program and c.is_whole)
    assert parsing_error(dataclasses.replace(first, arguments=(*first.arguments, "--no-such-option")))


@pytest.mark.parametrize("command", [c for c in OURS if "--config" in c.arguments], ids=str)
def test_its_recipe_is_there(command: Command) -> None:
    assert (ROOT / command.arguments[command.arguments.index("--config") + 1]).exists()


@pytest.mark.parametrize("command", MAKES, ids=str)
def test_make_has_its_target_and_reads_its_variables(command: Command) -> None:
    targets = [word for word in command.arguments if "=" not in word]
    result = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    read = (ROOT / "Makefile").read_text() + "".join(path.read_text() for path in (ROOT / "scripts").glob("*.*"))
    for word in command.arguments:
        name, is_set, _ = word.partition("=")
        assert not is_set or re.search(rf"\b{name}\b", read), f"nothing reads {name}"


def test_there_are_commands_of_every_kind() -> None:
    assert {command.program for command in COMMANDS} >= {"segclient", "make", "compose"}
    assert {verb(command) for command in OURS} == {"data", "models", "network", None}


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader of the page would type the command, with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    request.getfixturevalue(f"{verb(request.getfixturevalue('command'))}_files")
    return tmp_path


@pytest.fixture
def data_files(make_once, tmp_path: Path) -> None:
    """Exports, a folder of images and masks, a video, and the imported set ``data/mine``, two of whose classes are
    called as in the pages."""
    drawn = make_once("drawn", small_model.draw)
    for name in ("export", "street", "kitchen"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for path in sorted(p for p in (drawn / "export").rglob("*") if p.is_file()):
                archive.write(path, path.relative_to(drawn / "export"))
    shutil.copytree(drawn / "data", tmp_path / "data/mine")
    index = tmp_path / "data/mine/dataset.json"
    index.write_text(index.read_text().replace('"apple"', '"road"').replace('"banana"', '"car"'))
    (tmp_path / "data/export").symlink_to(drawn / "export")
    shutil.copytree(drawn / "data/images", tmp_path / "mine/rgb")
    shutil.copytree(drawn / "data/masks", tmp_path / "mine/gt")
    shutil.make_archive(str(tmp_path / "full_semantic"), "zip", tmp_path / "mine")
    classes = [c["name"] for c in json.loads((drawn / "data/dataset.json").read_text())["classes"]]
    (tmp_path / "classes.yaml").write_text(json.dumps(classes))
    (tmp_path / "classes.json").write_text(json.dumps(classes))
    write_video(tmp_path / "street.mp4", seconds=12)


@pytest.fixture
def models_files(tmp_path: Path) -> None:
    """Four versions of ``mymodel`` and of ``road``, without networks; label ``canary`` is at the newest."""
    for name in ("mymodel", "road"):
        card = ModelCard(
            name, "ddrnet23_slim", 32, 48, (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "road", (1, 1, 1)))
        )
        for _ in range(4):
            publish(
                tmp_path / "models_repo",
                card,
                lambda version: (version / "saved_model.pb").write_text(version.name),
                lambda version: None,
            )
        label(tmp_path / "models_repo", name, "canary", 4)


@pytest.fixture
def network_files(small_models_root: Path, photo: Path, tmp_path: Path) -> None:
    """A trained run, the same published, its data set, and photographs and a film to segment."""
    for name in ("runs/mine", "runs/mymodel", "data/mine", "models_repo/mymodel"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        found = {"runs": "run", "data": "data", "models_repo": "models_repo/small"}[name.split("/")[0]]
        (tmp_path / name).symlink_to(small_models_root.parent / found)
    (tmp_path / "photos").mkdir()
    for copy in ("photo.jpg", "photos/one.jpg"):
        shutil.copy(photo, tmp_path / copy)
    write_video(tmp_path / "film.mp4", seconds=1)


def write_video(path: Path, seconds: int) -> None:
    """Four frames a second of 64x48, each another noise."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 4, (64, 48))
    for number in range(4 * seconds):
        writer.write(np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1))
    writer.release()


@pytest.mark.parametrize("command", RUN_HERE, ids=str)
def test_it_runs_as_typed(command: Command, folder: Path, capfd: pytest.CaptureFixture) -> None:
    words = [word.replace("~", str(folder), 1) if word.startswith("~/") else word for word in command.arguments]
    for option in ("--output", "--report"):
        if option in words:
            output = folder / words[words.index(option) + 1]
            if output.is_symlink():
                output.unlink()
            shutil.rmtree(output, ignore_errors=True)
    status = run(command.program, *words)
    output, errors = capfd.readouterr()
    assert status == 0, errors
    assert output
    if "--output" in words:
        assert (folder / words[words.index("--output") + 1]).exists()
