"""models.config: what is read from it, and what publishing adds."""

import re

import pytest

from contract import ModelsConfigError
from contract.folders import ENGINE_PATH
from contract.serving_config import models_config
from contract.serving_config.models_config import ListedModel, in_force, list_model, listed, model_names, models
from contract.serving_config.textproto import parse
from contract.serving_config.version_policy import TWO_NEWEST, Latest, Specific

BY_HAND = """
model_config_list: {
  config: <
    name: 'signs'  # base_path is not ours
    base_path: "/mnt/mod\\303\\250les/signs"
    model_version_policy { specific { versions: [3, 5] } }
    version_labels { key: "stable" value: 3 };
    version_labels { key: "canary" value: 5 }
    logging_config { sampling_config { sampling_rate: 1e-2 } }
  >
  config { name: "ro" "ad-trt-fp16" base_path: "/models/road-trt-fp16" future_field { a: [true] } }
}
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models.config"


def test_no_file_is_no_models(path):
    assert model_names(path) == []


@pytest.mark.parametrize("text", ["", "# only a comment\n", "model_config_list {}", "model_config_list { config: [] }"])
def test_empty_file_lists_no_models(path, text):
    path.write_text(text)
    assert model_names(path) == []
    list_model(path, "road", {1: path.parent})
    assert model_names(path) == ["road"]


def test_file_after_the_first_model(path):
    list_model(path, "road", {1: path.parent})
    assert path.read_text().splitlines()[2:] == [
        "model_config_list {",
        "  config {",
        '    name: "road"',
        '    base_path: "/models/road"',
        '    model_platform: "tensorflow"',
        "    model_version_policy {",
        "      latest {",
        "        num_versions: 2",
        "      }",
        "    }",
        "  }",
        "}",
    ]
    assert path.read_text().startswith("# Written by `segstack`")


def test_model_is_listed_once_and_in_order(path):
    for name in ["road", "signs", "road", "signs"]:
        list_model(path, name, {1: path.parent})
    assert model_names(path) == ["road", "signs"]
    assert path.read_text().count("# Written by") == 1


def test_listing_a_listed_model_does_not_write_the_file(path, written):
    path.write_text(BY_HAND)
    before = written(path)
    list_model(path, "signs", {1: path.parent})
    list_model(path, "road-trt-fp16", {1: path.parent})
    assert written(path) == before


def test_hand_written_parts_are_kept(path):
    path.write_text(BY_HAND, encoding="utf-8")
    assert model_names(path) == ["signs", "road-trt-fp16"]
    ((_, before),) = parse(BY_HAND)
    list_model(path, "road", {1: path.parent})
    ((_, after),) = parse(path.read_text(encoding="utf-8"))
    assert after[:-1] == before
    assert model_names(path) == ["signs", "road-trt-fp16", "road"]


def test_entries_of_the_models(path):
    path.write_text(BY_HAND, encoding="utf-8")
    assert models(path) == {
        "signs": ListedModel("signs", Specific(frozenset({3, 5})), {"stable": 3, "canary": 5}, by_hand=True),
        "road-trt-fp16": ListedModel("road-trt-fp16", Latest(1), {}, by_hand=True),
    }
    list_model(path, "road", {1: path.parent})
    assert models(path)["road"] == ListedModel("road", TWO_NEWEST, {}, by_hand=False)


def test_labels_and_policy_are_replaced_in_place(path):
    folders = {version: path.parent / str(version) for version in (1, 2, 3)}
    for folder in folders.values():
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"graph")
    path.write_text(
        "model_config_list { config { name: 'road' model_version_policy { latest { num_versions: 2 } } "
        "version_labels { key: 'a' value: 3 } logging_config {} version_labels { key: 'b' value: 3 } future: 1 } }"
    )
    list_model(path, "road", folders, {"a": 1, "c": 3})
    ((_, ((_, config),)),) = parse(path.read_text())
    assert [field for field, _ in config] == [
        *("name", "model_version_policy", "version_labels", "version_labels", "logging_config", "future")
    ]
    assert models(path)["road"].labels == {"a": 1, "c": 3}
    assert str(models(path)["road"].policy) == "specific 1, 2, 3"
    list_model(path, "road", folders, {})
    ((_, ((_, config),)),) = parse(path.read_text())
    assert [field for field, _ in config] == ["name", "model_version_policy", "logging_config", "future"]
    assert models(path)["road"].policy == TWO_NEWEST


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model_version_policy { oldest {} }", "model_version_policy has oldest: expected latest, all or specific"),
        ("version_labels { key: 'a' value: one }", "model road: expected a whole number, found one"),
        ("version_labels { key: a value: 1 }", 'expected a string in quotes, found a: write "a"'),
        ("version_labels: 7", "version_labels is 7: expected version_labels { … }"),
    ],
)
def test_unreadable_policy_or_label_is_not_changed(path, text, sentence):
    text = f"model_config_list {{ config {{ name: 'road' {text} }} }}"
    path.write_text(text)
    assert model_names(path) == ["road"]
    for use in (lambda: models(path), lambda: list_model(path, "signs", {1: path.parent})):
        with pytest.raises(ModelsConfigError, match=re.escape(sentence)) as caught:
            use()
        assert str(caught.value).startswith(str(path))
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model_config_list {\n  config {", "line 2: expected a field name or }"),
        ('config { name: "road" }', "found config: expected one model_config_list { … } and nothing else"),
        ("model_config_list {} model_config_list {}", "found model_config_list, model_config_list: expected one"),
        ("model_config_list {} custom_model_config {}", "found model_config_list, custom_model_config: expected one"),
        ("model_config_list: 7", "model_config_list is 7: expected model_config_list { … }"),
        ('model_config_list { config: "road" }', 'config is "road": expected config { … }'),
        ("model_config_list { config { base_path: '/x' } }", "a config has no name"),
        ("model_config_list { config { name: road } }", 'found road: write "road"'),
        ("model_config_list { config { name: '\\377' } }", "name of a config: 'utf-8' codec can't decode"),
        (b"\xff\xfe", "'utf-8' codec can't decode"),
    ],
)
def test_broken_file_is_named_and_not_changed(path, text, sentence):
    broken = text if isinstance(text, bytes) else text.encode("utf-8")
    path.write_bytes(broken)
    for use in (lambda: model_names(path), lambda: list_model(path, "road", {1: path.parent})):
        with pytest.raises(ModelsConfigError, match=re.escape(sentence)) as caught:
            use()
        assert str(caught.value).startswith(str(path))
    assert path.read_bytes() == broken
    assert list(path.parent.iterdir()) == [path]


class TestModelsForGpus:
    """models.gpu.config: its own models, and a copy of models.config."""

    @pytest.fixture
    def gpu_path(self, path):
        return path.with_name("models.gpu.config")

    def test_hand_written_entries_are_copied(self, path, gpu_path):
        path.write_text(BY_HAND, encoding="utf-8")
        list_model(gpu_path, "fast", {1: path.parent})
        ((_, original),) = parse(BY_HAND)
        ((_, copy),) = parse(gpu_path.read_text(encoding="utf-8"))
        assert copy[:-1] == original
        assert model_names(gpu_path) == ["signs", "road-trt-fp16", "fast"]
        assert models(gpu_path)["signs"] == models(path)["signs"]
        assert path.read_text(encoding="utf-8") == BY_HAND

    def test_changes_are_copied_and_its_own_models_kept(self, path, gpu_path):
        list_model(gpu_path, "fast", {1: path.parent}, {"stable": 1})
        list_model(path, "road", {1: path.parent})
        assert model_names(gpu_path) == ["road", "fast"]
        path.write_text(BY_HAND, encoding="utf-8")  # road is taken out, others come in
        list_model(path, "signs", {1: path.parent})
        assert model_names(gpu_path) == ["signs", "road-trt-fp16", "fast"]
        assert models(gpu_path)["fast"].labels == {"stable": 1}

    def test_model_moved_there_by_hand_is_kept(self, path, gpu_path):
        engine = path.parent / "fast/1" / ENGINE_PATH
        engine.parent.mkdir(parents=True)
        engine.write_text("{}")
        list_model(path, "fast", {1: path.parent})
        path.write_text("")
        list_model(path, "road", {1: path.parent})
        assert (model_names(path), model_names(gpu_path)) == (["road"], ["road", "fast"])
        assert {name: model.gpu_only for name, model in listed(path.parent).items()} == {"road": False, "fast": True}

    def test_model_pasted_there_by_hand_is_listed_once(self, path, gpu_path):
        engine = path.parent / "fast/1" / ENGINE_PATH
        engine.parent.mkdir(parents=True)
        engine.write_text("{}")
        list_model(path, "fast", {1: path.parent})
        path.write_text("")
        pasted = 'config {\n    name: "fast"\n    base_path: "/models/elsewhere"\n  }\n}\n'
        gpu_path.write_text(gpu_path.read_text(encoding="utf-8").rstrip()[:-1] + "  " + pasted, encoding="utf-8")
        assert model_names(gpu_path) == ["fast", "fast"]
        list_model(path, "road", {1: path.parent})
        assert model_names(gpu_path) == ["road", "fast"]
        assert "/models/elsewhere" in gpu_path.read_text(encoding="utf-8")

    def test_is_created_in_a_repository_of_an_older_segstack(self, path, gpu_path):
        list_model(path, "road", {1: path.parent})
        gpu_path.unlink()
        assert in_force(gpu_path) == path
        list_model(path, "road", {1: path.parent})
        assert in_force(gpu_path) == gpu_path
        assert models(gpu_path) == models(path)

    def test_is_written_first(self, path, gpu_path, monkeypatch):
        replaced = []
        monkeypatch.setattr(models_config, "replace_file", lambda path, text: replaced.append(path.name))
        list_model(path, "road", {1: path.parent})
        assert replaced == ["models.gpu.config", "models.config"]

    def test_broken_file_is_named_and_nothing_is_changed(self, path, gpu_path):
        gpu_path.write_text("model_config_list {")
        with pytest.raises(ModelsConfigError, match=r"models\.gpu\.config: line 1"):
            list_model(path, "road", {1: path.parent})
        assert list(path.parent.iterdir()) == [gpu_path]
