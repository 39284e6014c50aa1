"""Publishing: the next version appears whole or not at all, even if the publisher is killed."""

import dataclasses
import errno
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from contract import CardError, ModelCard, ModelsConfigError, PublishError, publish, versions
from contract.folders import ENGINE_PATH
from contract.repository import publish as repository
from contract.repository.labels import label
from contract.repository.prune import prune
from contract.repository.publish import publish_without_card
from contract.repository.rollback import rollback
from contract.serving_config import models_config
from contract.serving_config.models_config import model_names, models
from segstack_testing.waiting import scaled

PUBLISHER = Path(__file__).with_name("publisher.py")


@pytest.fixture
def publisher(root):
    """Start ``publisher.py`` on the repository; those still waiting at the end of the test are killed."""
    started = []

    def start(stage=""):
        process = subprocess.Popen(
            [sys.executable, str(PUBLISHER), str(root), stage],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def accept(folder):
    """A load check that finds nothing wrong."""


def files(root):
    """Every path of the repository but its lock, relative to it."""
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.name != ".lock")


def seen_by_serving(root, name="road"):
    """The children that TensorFlow Serving would take for versions: int64 names."""
    return sorted(child.name for child in (root / name).iterdir() if child.name.lstrip("+-").isdigit())


class TestVersion:
    def test_contains_model_card_and_warmup(self, root, card, write_model):
        assert publish(root, card, write_model, accept) == 1
        assert files(root) == [
            "models.config",
            "models.gpu.config",
            "road",
            "road/1",
            "road/1/assets.extra",
            "road/1/assets.extra/SHA256SUMS",
            "road/1/assets.extra/model_card.json",
            "road/1/assets.extra/tf_serving_warmup_requests",
            "road/1/saved_model.pb",
            "road/1/variables",
            "road/1/variables/variables.index",
        ]
        text = (root / "road/1/assets.extra/model_card.json").read_text(encoding="utf-8")
        assert ModelCard.from_json(text) == card

    def test_is_checked_complete_before_serving_can_see_it(self, root, card, write_model):
        def check(folder):
            assert (folder / "saved_model.pb").exists()
            assert (folder / "assets.extra/model_card.json").exists()
            assert (folder / "assets.extra/tf_serving_warmup_requests").exists()
            assert seen_by_serving(root) == []
            assert model_names(root / "models.config") == []

        publish(root, card, write_model, check)
        assert seen_by_serving(root) == ["1"]

    def test_keeps_a_card_and_warmup_that_exist_already(self, root, card, write_model):
        brought = {"model_card.json": card.to_json() + "\n", "tf_serving_warmup_requests": "two images"}

        def write(folder):
            write_model(folder)
            (folder / "assets.extra").mkdir()
            for name, text in brought.items():
                (folder / "assets.extra" / name).write_text(text)

        publish(root, card, write, accept)
        for name, text in brought.items():
            assert (root / "road/1/assets.extra" / name).read_text() == text

    def test_is_the_next_number(self, root, card, write_model):
        assert [publish(root, card, write_model, accept) for _ in range(3)] == [1, 2, 3]
        other = dataclasses.replace(card, name="signs")
        assert publish(root, other, write_model, accept) == 1
        assert versions(root, "road") == [1, 2, 3]
        assert model_names(root / "models.config") == ["road", "signs"]

    def test_version_follows_the_highest_number(self, root, card, write_model):
        (root / "road" / "0041").mkdir(parents=True)
        assert publish(root, card, write_model, accept) == 42

    def test_published_outside_a_hand_written_policy_is_warned_about(
        self, root, card, write_model, write_config, caplog
    ):
        publish(root, card, write_model, accept)
        assert caplog.text == ""
        write_config("model_version_policy { specific { versions: 1 } }")
        assert publish(root, card, write_model, accept) == 2
        assert "road 2 is not served: its hand-written policy in" in caplog.text
        assert "(specific 1) does not load it" in caplog.text

    def test_never_overwrites_another(self, root, card, write_model):
        publish(root, card, write_model, accept)
        before = {path: (root / path).stat().st_mtime_ns for path in files(root)}

        def write_differently(folder):
            (folder / "saved_model.pb").write_bytes(b"another graph")

        assert publish(root, card, write_differently, accept) == 2
        assert (root / "road/1/saved_model.pb").read_bytes() == b"graph"
        for path in before:
            if path != "road":  # the folder gained a child
                assert (root / path).stat().st_mtime_ns == before[path]

    def test_is_synced_then_renamed_then_listed(self, root, card, write_model, monkeypatch):
        steps = []

        def note(owner, name, step):
            original = getattr(owner, name)

            def noted(*args):
                steps.append(step(*args))
                return original(*args)

            monkeypatch.setattr(owner, name, noted)

        note(repository, "sync_tree", lambda folder: f"sync {folder.name} and all in it")
        note(repository, "sync", lambda folder: f"sync {folder.name}")
        note(Path, "rename", lambda path, target: f"rename to {target.name}")
        note(models_config, "list_model", lambda path, name, folders: f"list {name} {sorted(folders)}")
        publish(root, card, write_model, accept)
        assert steps == ["sync .tmp-1 and all in it", "rename to 1", "sync road", "sync models_repo", "list road [1]"]


class TestThirdPartyModel:
    """Published without a card: the converter's, of a source that had none."""

    def test_has_its_own_files_and_checksums(self, root, write_model):
        assert publish_without_card(root, "theirs", write_model, accept) == 1
        assert files(root / "theirs/1") == [
            *("assets.extra", "assets.extra/SHA256SUMS", "saved_model.pb", "variables", "variables/variables.index")
        ]
        assert model_names(root / "models.config") == ["theirs"]

    @pytest.mark.parametrize("name", ["../theirs", "", "models.gpu.config"])
    def test_invalid_name_or_that_of_a_file_is_refused(self, root, write_model, name):
        with pytest.raises(CardError, match="model name"):
            publish_without_card(root, name, write_model, accept)
        assert not root.exists()


class TestModelWithEngines:
    """It loads only on the GPU model that built its engines, so no other machine may list it."""

    @pytest.fixture
    def converted(self, card):
        return dataclasses.replace(card, name="road-trt-fp16", engine={"engines": 1}, derived_from="road:1")

    def test_is_listed_in_models_gpu_config(self, root, card, converted, write_model):
        publish(root, card, write_model, accept)
        publish(root, converted, write_model, accept)
        publish(root, converted, write_model, accept)
        assert model_names(root / "models.config") == ["road"]
        assert model_names(root / "models.gpu.config") == ["road", "road-trt-fp16"]

    def test_may_be_the_only_one(self, root, converted, write_model):
        publish(root, converted, write_model, accept)
        assert model_names(root / "models.config") == []
        assert model_names(root / "models.gpu.config") == ["road-trt-fp16"]

    def test_without_a_card_is_recognised_by_engine_json(self, root, write_model):
        def write(folder):
            write_model(folder)
            (folder / ENGINE_PATH).parent.mkdir()
            (folder / ENGINE_PATH).write_text("{}")

        publish_without_card(root, "theirs-trt-fp16", write, accept)
        assert model_names(root / "models.config") == []
        assert model_names(root / "models.gpu.config") == ["theirs-trt-fp16"]

    def test_stays_in_the_file_it_was_moved_to_by_hand(self, root, converted, write_model):
        publish(root, converted, write_model, accept)
        (root / "models.gpu.config").rename(root / "models.config")
        publish(root, converted, write_model, accept)
        assert model_names(root / "models.config") == ["road-trt-fp16"]
        assert model_names(root / "models.gpu.config") == ["road-trt-fp16"]

    def test_is_labelled_rolled_back_and_pruned_there(self, root, card, converted, write_model):
        publish(root, card, write_model, accept)
        for _ in range(4):
            publish(root, converted, write_model, accept)
        plain = (root / "models.config").read_bytes()
        label(root, converted.name, "stable", 2)
        rollback(root, converted.name, to=3)
        assert prune(root, converted.name) == [1, 3]
        assert (root / "models.config").read_bytes() == plain
        listed = models(root / "models.gpu.config")
        assert (dict(listed[converted.name].labels), str(listed[converted.name].policy)) == (
            {"stable": 2},
            "specific 2, 4, 5",
        )
        assert listed["road"] == models(root / "models.config")["road"]


class TestVersions:
    def test_unknown_model_has_no_versions(self, tmp_path):
        assert versions(tmp_path, "road") == []
        (tmp_path / "README.md").write_text("not a model")
        assert versions(tmp_path, "README.md") == []

    def test_folder_names_that_serving_takes_for_versions(self, tmp_path):
        for name in ["10", "9", ".tmp-11", "latest", "1.5", "-3", "²", "12 ", "9" * 19]:
            (tmp_path / "road" / name).mkdir(parents=True)
        assert versions(tmp_path, "road") == [9, 10]


class TestRefusals:
    """Before anything is written: the repository is not even made."""

    @pytest.mark.parametrize("name", ["models.config", "models.gpu.config", "README.md"])
    def test_name_of_a_file_in_the_repository(self, root, card, write_model, name):
        root.mkdir()
        (root / "README.md").write_text("what is here")
        with pytest.raises(CardError, match=r"model name .* is the name of a file in"):
            publish(root, dataclasses.replace(card, name=name), write_model, accept)
        assert files(root) == ["README.md"]

    @pytest.mark.parametrize("name", ["../road", "a/b", ".tmp-1", ""])
    def test_name_that_cannot_be_a_folder(self, root, card, write_model, name):
        object.__setattr__(card, "name", name)  # a card cannot be made with it, but publish does not rely on that
        with pytest.raises(CardError, match="model name"):
            publish(root, card, write_model, accept)
        assert not root.exists()

    def test_card_that_cannot_be_read_back(self, root, card, write_model):
        with pytest.raises(CardError, match=r"model card.parameters: expected int, found 5.7"):
            publish(root, dataclasses.replace(card, parameters=5.7), write_model, accept)
        assert not root.exists()

    def test_broken_models_config(self, root, card, write_model):
        root.mkdir()
        for text, sentence in (
            ("model_config_list {", r"models.config: line 1"),
            ('model_config_list { config { name: "a" model_version_policy { oldest {} } } }', r"has oldest: expected"),
        ):
            (root / "models.config").write_text(text)
            with pytest.raises(ModelsConfigError, match=sentence):
                publish(root, card, write_model, accept)
            assert files(root) == ["models.config"]

    def test_folder_without_a_saved_model(self, root, card):
        with pytest.raises(PublishError, match=r"was written without a saved_model.pb: expected a SavedModel"):
            publish(root, card, lambda folder: (folder / "model.keras").write_bytes(b""), accept)
        assert files(root) == ["road"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("signature encoded does not run"),
        KeyboardInterrupt(),
        SystemExit(1),
    ],
    ids=repr,
)
class TestExceptionLeavesNothing:
    def fail(self, error):
        raise error

    def test_raised_by_write(self, root, card, write_model, error):
        def write(folder):
            write_model(folder)
            self.fail(error)

        with pytest.raises(type(error)):
            publish(root, card, write, accept)
        assert files(root) == ["road"]

    def test_raised_by_check(self, root, card, write_model, error):
        with pytest.raises(type(error)):
            publish(root, card, write_model, lambda folder: self.fail(error))
        assert files(root) == ["road"]

    def test_earlier_versions_are_kept(self, root, card, write_model, error):
        publish(root, card, write_model, accept)
        before = files(root)
        with pytest.raises(type(error)):
            publish(root, card, write_model, lambda folder: self.fail(error))
        assert files(root) == before
        assert publish(root, card, write_model, accept) == 2


class TestKilledPublisher:
    """Killed by SIGKILL, so no clean-up code runs."""

    def kill(self, process):
        assert process.stdout.readline() == "here\n", process.stderr.read()
        process.kill()
        process.wait()

    @pytest.mark.parametrize("stage", ["write", "check", "sync", "rename"])
    def test_leaves_no_version_folder(self, root, card, write_model, publisher, stage, caplog):
        publish(root, dataclasses.replace(card, name="signs"), write_model, accept)
        config = (root / "models.config").read_bytes()

        self.kill(publisher(stage))

        assert seen_by_serving(root) == []
        assert (root / "models.config").read_bytes() == config
        assert [child.name for child in (root / "road").iterdir()] == [".tmp-1"]

        with caplog.at_level(logging.WARNING):
            assert publish(root, card, write_model, accept) == 1
        assert "which an interrupted command left" in caplog.text
        assert [child.name for child in (root / "road").iterdir()] == ["1"]
        assert model_names(root / "models.config") == ["signs", "road"]

    @pytest.mark.parametrize("stage", ["write", "rename"])
    def test_leaves_earlier_versions_unchanged(self, root, card, write_model, publisher, stage):
        publish(root, card, write_model, accept)
        before = files(root)
        self.kill(publisher(stage))
        assert seen_by_serving(root) == ["1"]
        assert set(before) < set(files(root))
        assert publish(root, card, write_model, accept) == 2
        assert seen_by_serving(root) == ["1", "2"]

    @pytest.mark.parametrize("stage", ["list", "replace"])
    def test_after_the_rename_leaves_a_complete_version_that_the_next_publish_lists(
        self, root, card, write_model, publisher, stage
    ):
        self.kill(publisher(stage))
        assert (root / "road/1/saved_model.pb").read_bytes() == b"graph"
        assert (root / "road/1/assets.extra/tf_serving_warmup_requests").exists()
        assert model_names(root / "models.config") == []
        assert publish(root, card, write_model, accept) == 2
        assert model_names(root / "models.config") == ["road"]
        assert [child for child in files(root) if ".tmp-" in child] == []


def test_two_publishers_take_turns(root, publisher):
    first = publisher("write")
    assert first.stdout.readline() == "here\n"
    second = publisher()
    assert "waiting: another publisher is writing to" in second.stderr.readline()
    assert seen_by_serving(root) == []

    first_out, _ = first.communicate("continue\n", timeout=scaled(30))
    second_out, _ = second.communicate(timeout=scaled(30))

    assert (first_out, second_out) == ("1\n", "2\n")
    assert versions(root, "road") == [1, 2]
    for version in "12":
        assert (root / "road" / version / "saved_model.pb").read_bytes() == b"graph"
        assert (root / "road" / version / "assets.extra" / "model_card.json").exists()


def test_model_is_listed_only_after_its_first_version_exists(root, publisher):
    process = publisher("list")
    assert process.stdout.readline() == "here\n"
    assert seen_by_serving(root) == ["1"]
    assert model_names(root / "models.config") == []
    process.communicate("continue\n", timeout=scaled(30))
    assert model_names(root / "models.config") == ["road"]
