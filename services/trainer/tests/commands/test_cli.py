"""The command line: from drawn images to a data set, and errors in one sentence.

The demonstration runs ``train`` and ``export`` completely; here only their errors are tested.
"""

import subprocess
import sys

import pytest

from trainer.commands import cli
from trainer.commands.cli import create_parser


def test_drawn_set_is_imported(trainer, tmp_path):
    size = ["--size", 48, 64]
    status, out, _ = trainer(
        "data", "synthesize", "--output", tmp_path / "cvat", "--images", 3, *size, "--scene", tmp_path / "scene.jpg"
    )
    assert status == 0
    assert out == f"drawn: 3 images in {tmp_path}/cvat\ndrawn: {tmp_path}/scene.jpg\n"
    status, out, _ = trainer("data", "import", "cvat", tmp_path / "cvat", "--output", tmp_path / "set")
    assert status == 0
    assert out.startswith("3 images (")
    assert out.endswith(f"imported: {tmp_path}/set\n")
    assert (tmp_path / "set/dataset.json").is_file()
    assert (tmp_path / "scene.jpg").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "synthesize", "--output", "."], ". is not empty: name a new folder with --output"),
        (["data", "synthesize", "--output", "set", "--images", "0"], "0 images of 192x256: expected at least one"),
        (["data", "import", "cvat", "nowhere.zip", "--output", "set"], "nowhere.zip: no such file or folder"),
        (["data", "import", "cvat", "notes.txt", "--output", "set"], "notes.txt: is not a complete zip"),
        (["train", "--config", "nowhere.yaml", "--run", "run"], "nowhere.yaml: no such recipe"),
        (["train", "--config", "recipe.yaml", "--run", "run", "--set", "epochs"], "--set epochs: expected path.to=v"),
        (["train", "nowhere", "--config", "recipe.yaml", "--run", "run"], "nowhere is not a data set"),
        (["train", "--config", "recipe.yaml", "--run", "."], ". is not empty: name a new folder with --run"),
        (["export", "--run", "nowhere", "--name", "tiny"], "nowhere holds no trained network"),
        (["evaluate", ".", "--model", "nowhere"], ". is not a data set"),
    ],
    ids=" ".join,
)
def test_user_error_is_one_line_on_stderr_and_status_1(
    trainer, tmp_path, monkeypatch, recipe_file, words, message, write_files
):
    write_files(tmp_path, {"notes.txt": "not a zip", "recipe.yaml": recipe_file.read_text()})
    monkeypatch.chdir(tmp_path)
    status, out, err = trainer(*words)
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {message}")
    assert err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "recipe.yaml"]


def test_invalid_model_name_is_a_user_error(trainer, run, tmp_path):
    status, _, err = trainer("export", "--run", run.folder, "--name", "a/b", "--models-root", tmp_path / "models_repo")
    assert status == 1
    assert not (tmp_path / "models_repo").exists()
    assert err.splitlines()[-1].startswith("trainer: model name 'a/b': expected a letter or digit")


def test_interrupted_command_prints_stopped(trainer, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.sources.cvat.importer.import_cvat", interrupted)
    assert trainer("data", "import", "cvat", "a.zip", "--output", "set") == (130, "", "trainer: stopped\n")


@pytest.mark.parametrize(
    ("earlier", "current"),
    [
        ("data import-cvat a.zip --output set", "data import cvat a.zip --output set"),
        ("data import-tfds pets --output set", "data import tfds pets --output set"),
        ("data augment --data set --output out", "data augment set --output out"),
        ("train --config recipe.yaml --data set --run run", "train set --config recipe.yaml --run run"),
        ("evaluate --model run --data=set", "evaluate set --model run"),
        ("export --from a.keras --name a --classes a,b --data set", "export set --from a.keras --name a --classes a,b"),
        ("models --no-time", "networks --no-time"),
        ("networks unet", "models networks unet"),
    ],
)
def test_spelling_of_earlier_releases_is_accepted(earlier, current):
    earlier_options, options = (vars(create_parser().parse_args(line.split())) for line in (earlier, current))
    for parsed in (earlier_options, options):
        parsed["run_command"] = getattr(parsed["run_command"], "__qualname__", None)
    assert earlier_options == options


def test_verb_prints_the_name_it_was_called_by(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.data(["validate", "nowhere"], "segstack data") == 1
    assert capsys.readouterr().err.startswith("segstack data validate: nowhere is not a data set")
    with pytest.raises(SystemExit):
        cli.data(["import", "cvat"], "segstack data")
    assert capsys.readouterr().err.startswith("usage: segstack data import cvat")
    with pytest.raises(SystemExit):
        cli.main(["models", "networks", "--help"])
    assert capsys.readouterr().out.startswith("usage: python -m trainer models networks")


def test_process_prints_no_traceback_and_help_imports_no_tensorflow(tmp_path):
    """In a separate process: no traceback, and help without waiting for TensorFlow's import."""

    def call(*words):
        command = [sys.executable, "-X", "importtime", "-m", "trainer", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    mistaken = call("data", "import", "cvat", "nowhere.zip", "--output", "set")
    assert mistaken.returncode == 1
    assert mistaken.stderr.splitlines()[-1].startswith("trainer: nowhere.zip: no such file or folder")
    assert "Traceback" not in mistaken.stderr
    helped = call("--help")
    assert helped.returncode == 0
    assert all(command in helped.stdout for command in ("data", "train", "evaluate", "predict", "export"))
    assert "tensorflow" not in helped.stderr + mistaken.stderr
