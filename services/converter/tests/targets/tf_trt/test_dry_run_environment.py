"""Creating the dry run's environment; a script that records its arguments replaces uv and its 2 GB."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from converter.errors import ConverterError
from converter.targets.tf_trt import dry_run_environment


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the environments; its disk has room, whatever this machine's has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, 10**12))
    return tmp_path / "cache/segstack"


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``uv(script)``: puts a uv on PATH that runs the script; returns the file with its arguments, a line per call."""

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
    """``other_lock()``: installs the environment from another lock file from now on."""

    def change(content: str = "tensorflow==2.14.2\n") -> None:
        (tmp_path / "lock").write_text(content)
        monkeypatch.setattr(dry_run_environment, "_LOCK", tmp_path / "lock")

    return change


def environment_python() -> Path:
    with dry_run_environment.locked() as python:
        return python


def test_environment_is_created_once_with_a_message(cache: Path, uv, capsys) -> None:
    calls = uv()
    python = environment_python()
    assert python.parents[1].parent == cache
    assert "2.2 GB to download, 4.4 GB on disk" in capsys.readouterr().err
    venv, install = calls.read_text().splitlines()
    assert venv.startswith("venv --clear --python 3.10 ")
    assert "--no-deps --require-hashes" in install
    assert environment_python() == python
    assert len(calls.read_text().splitlines()) == 2
    assert capsys.readouterr().err == ""


def test_failed_creation_leaves_nothing_and_can_be_repeated(cache: Path, uv, capsys) -> None:
    uv("[[ $1 == venv ]] || { echo 'no route to host' >&2; exit 1; }")
    with pytest.raises(ConverterError, match="uv failed to install its packages"):
        environment_python()
    assert [path.name for path in cache.iterdir()] == [".dry-run.lock"]
    uv()
    assert environment_python().parents[1].is_dir()


def test_leftovers_of_a_killed_creation_are_removed(cache: Path, uv) -> None:
    half = cache / ".tmp-dry-run-killed"
    half.mkdir(parents=True)
    uv()
    environment_python()
    assert not half.exists()


def test_new_lock_file_replaces_the_environment(cache, uv, other_lock, capsys) -> None:
    uv()
    first = environment_python().parents[1]
    other_lock()
    assert (second := environment_python().parents[1]) != first
    assert sorted(path.name for path in cache.iterdir()) == [".dry-run.lock", second.name]
    assert f"removing {first}, the environment of another lock file" in capsys.readouterr().err


def test_environment_in_use_is_not_removed(cache: Path, uv, other_lock) -> None:
    uv()
    with dry_run_environment.locked() as python:
        first = python.parents[1]
        other_lock()
        second = environment_python().parents[1]
        assert first.is_dir()
    other_lock("tensorflow==2.14.3\n")
    third = environment_python().parents[1]
    assert [path.is_dir() for path in (first, second, third)] == [False, False, True]


def test_removed_python_is_reported(cache: Path, uv, tmp_path: Path) -> None:
    uv()
    python = environment_python()
    python.parent.mkdir()
    python.symlink_to(tmp_path / "no/python3.10")
    with pytest.raises(ConverterError, match=f"was removed: remove {python.parents[1]}"):
        environment_python()


def test_full_disk_is_reported_before_creation(cache: Path, uv, monkeypatch) -> None:
    calls = uv()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1_500_000_000))
    with pytest.raises(ConverterError, match=r"takes 4\.4 GB, but .* has 1\.5 GB free: .*XDG_CACHE_HOME"):
        environment_python()
    assert not calls.exists()


def test_missing_uv_is_reported(cache: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no/python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConverterError, match="with uv, which was not found: pip install uv"):
        environment_python()


def test_other_processor_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(ConverterError, match="the dry run needs Linux on x86_64"):
        environment_python()
