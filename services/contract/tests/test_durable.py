"""Files are written completely or not at all: for readers, on a full disk, after a power cut."""

import errno
import os
import threading
from pathlib import Path

import pytest

from contract import durable
from segstack_testing.waiting import wait_until


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models.config"


@pytest.fixture
def steps(monkeypatch):
    """What was synced (by path) and renamed, in order."""
    steps = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        steps.append(Path("/proc/self/fd", str(descriptor)).resolve())
        fsync(descriptor)

    def noted_replace(self, target):
        steps.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    return steps


def test_file_is_created_and_replaced(path):
    for text in ["old\n", "new: é\n", ""]:
        durable.replace_file(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert list(path.parent.iterdir()) == [path]


def test_reader_never_sees_a_partial_file(path):
    texts = ["short\n", "long\n" * 50_000]
    durable.replace_file(path, texts[0])
    seen, done = set(), threading.Event()

    def poll():
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        wait_until(lambda: texts[0] in seen, what="a first reading")
        for turn in range(100):
            durable.replace_file(path, texts[turn % 2])
        wait_until(lambda: texts[1] in seen, what="a reading of the last text")
    finally:
        done.set()
        reader.join()
    assert seen == set(texts)


def test_full_disk_leaves_the_old_file_and_no_temporary_one(path, monkeypatch):
    durable.replace_file(path, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        durable.replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_text_is_synced_before_the_rename_and_the_folder_after(path, steps):
    durable.replace_file(path, "new")
    assert steps == [path.with_name(".tmp-models.config"), "replace", path.parent]


def test_without_durability_the_file_is_replaced_but_nothing_synced(path, steps):
    for text in ["old", "new"]:
        with durable.replacing(path, durable=False) as temporary:
            temporary.write_text(text)
            assert not path.exists() or path.read_text() == "old"
    assert steps == ["replace", "replace"]
    assert path.read_text() == "new"


@pytest.mark.parametrize("durably", [True, False], ids=["durable", "not durable"])
def test_failed_block_leaves_the_old_file_and_no_temporary_one(path, durably):
    path.write_text("old")

    def fail_half_way():
        with durable.replacing(path, durable=durably) as temporary:
            temporary.write_text("ne")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_tree_is_synced_file_by_file_and_itself_last(tmp_path, steps):
    folder = tmp_path / "version"
    (folder / "variables").mkdir(parents=True)
    for name in ["saved_model.pb", "variables/variables.index"]:
        (folder / name).write_bytes(b"")
    durable.sync_tree(folder)
    assert steps == [
        folder / "saved_model.pb",
        folder / "variables",
        folder / "variables/variables.index",
        folder,
    ]
