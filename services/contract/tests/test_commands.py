"""``segstack models``: one sentence for every outcome, and its exit status."""

import json
import subprocess
import sys

import pytest

from contract import versions
from contract.commands import main
from contract.serving_config.models_config import models


@pytest.fixture
def run(root, capsys):
    """Run a command on the repository: its status, standard output and standard error."""

    def run(command):
        try:
            status = main([*command.split(), "--models-root", str(root)])
        except SystemExit as exit:
            status = exit.code
        return (status, *capsys.readouterr())

    return run


def test_list(run, publish_versions):
    publish_versions(2)
    publish_versions(1, "signs")
    status, out, err = run("list")
    assert (status, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        ["road", "2", "loaded"],
        ["road", "1", "loaded"],
        ["signs", "1", "loaded"],
    ]
    assert len(run("list signs")[1].splitlines()) == 2
    _, out, _ = run("list --json road")
    assert [model["name"] for model in json.loads(out)["models"]] == ["road"]


def test_label(run, root, publish_versions):
    publish_versions(3)
    assert run("label road stable 1") == (0, "road: stable is version 1, as soon as serving has it loaded\n", "")
    _, out, _ = run("label road stable 2")
    assert out == "road: stable is version 2, as soon as serving has it loaded; it was version 1\n"
    assert models(root / "models.config")["road"].labels == {"stable": 2}
    assert run("label road stable --remove") == (0, "road: stable removed; it was version 2\n", "")
    assert models(root / "models.config")["road"].labels == {}


def test_rollback(run, root, publish_versions):
    publish_versions(2)
    status, out, err = run("rollback road")
    assert (status, err) == (0, "")
    assert out.startswith("road: version 1 is published again as version 3, and serves in place of version 2")
    _, out, _ = run("rollback road --to 2")
    assert out.startswith("road: version 2 is published again as version 4")


def test_prune(run, root, publish_versions):
    publish_versions(4)
    publish_versions(3, "signs")
    assert run("prune road --keep 3 --dry-run") == (0, "road: would remove 1\n", "")
    assert run("prune road --keep 3") == (0, "road: removed 1\n", "")
    assert run("prune --all") == (0, "road: removed 2\nsigns: removed 1\n", "")
    assert run("prune --all") == (0, "road: removed nothing\nsigns: removed nothing\n", "")
    assert versions(root, "road") == [3, 4]


def test_listed_model_without_a_version_does_not_stop_pruning(run, root, publish_versions, write_config):
    write_config("")
    publish_versions(3, "signs")
    assert run("prune --all") == (0, "signs: removed 1\n", "")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("list raod", "model 'raod' not found"),
        ("label raod stable 1", "published models: road"),
        ("label road stable 9", "version 9 of road not found; its versions: 1"),
        ("label road stable --remove", "label 'stable' of road not found; its labels: none"),
        ("rollback road", "road has no version before 1"),
        ("rollback road --to 9", "version 9 of road not found; its versions: 1"),
        ("prune raod", "model 'raod' not found"),
        ("remove road 1", "road 1 was not removed: it is the newest version"),
        ("remove road 9", "version 9 of road not found; its versions: 1"),
    ],
)
def test_error_is_one_sentence_and_status_1(run, publish_versions, command, sentence):
    publish_versions(1)
    status, out, err = run(command)
    assert (status, out) == (1, "")
    assert err.startswith("segstack models: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["list", "label road stable 1", "rollback road", "prune road", "prune --all"])
def test_unreadable_repository_is_status_1(run, root, publish_versions, command):
    publish_versions(2)
    (root / "models.config").write_text("model_config_list {")
    status, out, err = run(command)
    assert (status, out) == (1, "")
    assert "models.config: line 1: expected a field name or }" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["list", "prune --all", "rollback road"])
def test_missing_folder_is_named(run, root, command):
    assert run(command) == (1, "", f"segstack models: {root} is not a folder: name the repository with --models-root\n")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "publish",
        "label road stable",
        "label road stable 1 --remove",
        "label road stable one",
        "rollback",
        "rollback road --to 0",
        "prune",
        "prune road --all",
        "prune road --keep 0",
        "remove road",
        "remove road one",
    ],
)
def test_wrong_command_line_is_status_2(run, publish_versions, command):
    publish_versions(1)
    status, out, err = run(command)
    assert (status, out) == (2, "")
    assert err.startswith("usage: segstack models")


def test_remove(run, root, publish_versions):
    publish_versions(4)
    assert run("remove road 2") == (0, "road: version 2 removed\n", "")
    assert versions(root, "road") == [1, 3, 4]


def test_help_names_get_models(run):
    status, out, _ = run("--help")
    assert status == 0
    assert "GET /models" in " ".join(out.split())


@pytest.mark.parametrize("command", ["models list", "list"])  # the second is how it was called before
def test_default_repository_is_models_repo(root, publish_versions, command):
    publish_versions(2)
    list_all = [sys.executable, "-m", "contract", *command.split()]
    out = subprocess.run(list_all, cwd=str(root.parent), stdout=subprocess.PIPE, check=True, text=True)
    assert "road   2" in out.stdout
