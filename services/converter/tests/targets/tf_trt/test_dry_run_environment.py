"""Making the dry run's environment; a script that writes down what it is asked stands in for uv and its 2 GB."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from converter.errors import ConverterError
from converter.targets.tf_trt import dry_run_environment


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/segstack"


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``uv(script)`` puts one on PATH that runs this; its calls are in ``uv.calls``. $4 and $5 are the environment."""

    def make(script: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "uv"
        path.write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/calls\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no/python"))
        return tmp_path / "calls"

    return make


@pytest.fixture
def other_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``other_lock()``: from here on the environment is installed from another lock file."""

    def change(content: str = "tensorflow==2.14.2\n") -> None:
        (tmp_path / "lock").write_text(content)
        monkeypatch.setattr(dry_run_environment, "_LOCK", tmp_path / "lock")

    return change


def python_of_it() -> Path:
    with dry_run_environment.held() as python:
        return python


def test_it_is_made_once_and_said(cache: Path, uv, capsys) -> None:
    calls = uv()
    python = python_of_it()
    assert python.parents[1].parent == cache
    assert "2.2 GB to download, 4.4 GB on disk" in capsys.readouterr().err
    venv, install = calls.read_text().splitlines()
    assert venv.startswith("venv --clear --python 3.10 ")
    assert "--no-deps --require-hashes" in install
    assert python_of_it() == python
    assert len(calls.read_text().splitlines()) == 2
    assert capsys.readouterr().err == ""


def test_a_failure_leaves_nothing_and_the_next_attempt_begins_anew(cache: Path, uv, capsys) -> None:
    uv("[[ $1 == venv ]] || { echo 'no route to host' >&2; exit 1; }")
    with pytest.raises(ConverterError, match="uv could not get its packages, and says why above"):
        python_of_it()
    assert [path.name for path in cache.iterdir()] == [".dry-run.lock"]
    uv()
    assert python_of_it().parents[1].is_dir()


def test_what_a_killed_attempt_left_is_removed(cache: Path, uv) -> None:
    half = cache / ".tmp-dry-run-killed"
    half.mkdir(parents=True)
    uv()
    python_of_it()
    assert not half.exists()


def test_another_lock_file_is_another_environment_and_the_first_goes(cache, uv, other_lock, capsys) -> None:
    uv()
    first = python_of_it().parents[1]
    other_lock()
    assert (second := python_of_it().parents[1]) != first
    assert sorted(path.name for path in cache.iterdir()) == [".dry-run.lock", second.name]
    assert f"{first}, the environment of another lock file, is removed" in capsys.readouterr().err


def test_one_in_use_stays_until_another_is_made(cache: Path, uv, other_lock) -> None:
    uv()
    with dry_run_environment.held() as python:
        first = python.parents[1]
        other_lock()
        second = python_of_it().parents[1]
        assert first.is_dir()
    other_lock("tensorflow==2.14.3\n")
    third = python_of_it().parents[1]
    assert [path.is_dir() for path in (first, second, third)] == [False, False, True]


def test_the_python_it_was_made_with_is_gone(cache: Path, uv, tmp_path: Path) -> None:
    uv()
    python = python_of_it()
    python.parent.mkdir()
    python.symlink_to(tmp_path / "no/python3.10")
    with pytest.raises(ConverterError, match=f"is gone: remove {python.parents[1]}"):
        python_of_it()


def test_without_room_nothing_is_begun(cache: Path, uv, monkeypatch) -> None:
    calls = uv()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1_500_000_000))
    with pytest.raises(ConverterError, match=r"takes 4\.4 GB, and .* has 1\.5 GB left: make room, or name another"):
        python_of_it()
    assert not calls.exists()


def test_without_uv(cache: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no/python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConverterError, match="with uv, which is not here: pip install uv"):
        python_of_it()


def test_on_another_processor(monkeypatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(ConverterError, match="the dry run needs Linux on x86_64"):
        python_of_it()
