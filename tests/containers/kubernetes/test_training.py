"""Training as an Indexed Job: worker.py and the trainer that it starts."""

import contextlib
import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.commands.cli import create_parser
from trainer.runs import RunFolder

pytestmark = pytest.mark.containers

_PATIENCE = 600  # a minute on an idle machine


@pytest.fixture(scope="module")
def worker_file(root) -> Path:
    return root / "deploy/kubernetes/training/worker.py"


@pytest.fixture(scope="module")
def worker(worker_file):
    specification = importlib.util.spec_from_file_location("worker", worker_file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def job(build):
    return build("training").of("Job")["training"]["spec"]


@pytest.fixture(scope="module")
def container(build):
    return build("training").pod("training").spec["containers"][0]


@pytest.fixture(scope="module")
def environment(container):
    return {each["name"]: each["value"] for each in container["env"]}


def test_workers_run_in_parallel_and_know_their_number(job, environment):
    assert job["completionMode"] == "Indexed"
    assert job["completions"] == job["parallelism"] == int(environment["WORKERS"])


def test_the_job_has_succeeded_when_the_chief_has(job):
    assert job["successPolicy"]["rules"] == [{"succeededIndexes": "0"}]


def test_tf_config_names_workers_as_the_jobs_service_does(build, job, environment, worker, monkeypatch):
    subdomain = job["template"]["spec"]["subdomain"]
    assert build("training").of("Service")[subdomain]["spec"]["clusterIP"] == "None"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert json.loads(worker.tf_config()) == {
        "cluster": {"worker": [f"training-0.{subdomain}:2222", f"training-1.{subdomain}:2222"]},
        "task": {"type": "worker", "index": 1},
    }


def test_worker_waits_until_every_name_resolves(worker, monkeypatch, capsys):
    known = set()
    monkeypatch.setattr(worker, "is_known", lambda host, port: (host, port) in known)
    monkeypatch.setattr(worker.time, "sleep", lambda seconds: known.add(("training-0.training", "2222")))
    worker.wait_for_workers(["training-0.training:2222", "training-0.training:2222"])
    assert capsys.readouterr().err == "worker: waiting for training-0.training\n"


def test_worker_without_peers_ends_with_a_message(worker, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", -1)
    with pytest.raises(SystemExit, match=r"nobody\.invalid has no address after an hour"):
        worker.wait_for_workers(["nobody.invalid:2222"])


@pytest.fixture
def run(tmp_path):
    """The run folder of a training that has started."""
    folder = tmp_path / "run"
    RunFolder(folder).state.mkdir(parents=True)
    RunFolder(folder).recipe.touch()
    return folder


@pytest.mark.parametrize(
    ("index", "holds", "is_kept"),
    [("0", [], False), ("1", [], True), ("0", ["best.keras"], True), ("0", ["state/step-00000001.npz"], True)],
)
def test_leftovers_of_a_chief_killed_early_are_removed(run, worker, monkeypatch, index, holds, is_kept):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
    for name in holds:
        (run / name).touch()
    worker.trainer_words([f"--run={run}"])
    assert run.exists() is is_kept


def test_folder_that_is_no_run_is_never_removed(run, worker, monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    RunFolder(run).recipe.rename(run / "precious")
    assert worker.trainer_words([f"--run={run}"]) == ["train", f"--run={run}"]
    assert (run / "precious").exists()


def test_job_contains_this_worker(build, worker_file, container):
    assert build("training").named("ConfigMap", "training-worker")["data"] == {"worker.py": worker_file.read_text()}
    assert container["command"] == ["python", "/etc/training/worker.py"]


@pytest.fixture
def workspace(small_models_root, tmp_path):
    """A folder with the Job's volumes, as its pods see them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/road").symlink_to(small_models_root.parent / "data")
    (tmp_path / "runs").mkdir()
    (tmp_path / "models_repo").mkdir()
    return tmp_path


def test_job_trains_with_two_workers_publishes_once_and_can_resume(
    root, workspace, worker, worker_file, container, environment, monkeypatch
):
    recipe = f"--config={root / 'services/trainer/recipes/demo.yaml'}"
    options = [recipe if "/etc/recipe/" in word else word for word in container["args"]]
    small = ("epochs=1", "data.input_height=64", "data.input_width=96", "optimizer.warmup_steps=2")
    options += [f"--set={value}" for value in small]
    names = f"127.0.0.1:{_ports()}{{index}}"
    with contextlib.ExitStack() as started:
        workers = []
        for index in range(2):
            variables = {**environment, "WORKER_NAMES": names, "JOB_COMPLETION_INDEX": str(index)}
            process = subprocess.Popen(
                [sys.executable, worker_file, *options],
                cwd=workspace,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.callback(process.communicate)
            started.callback(process.kill)
            workers.append(process)
        chief, other = (process.communicate(timeout=_PATIENCE)[0] for process in workers)
    assert [process.returncode for process in workers] == [0, 0], chief + other
    assert "on 1 more workers" in chief
    assert "trained: runs/road" in chief
    assert "trained:" not in other
    assert [version.name for version in (workspace / "models_repo/road").glob("[0-9]*")] == ["1"]

    monkeypatch.chdir(workspace)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    began = [recipe, "--run=runs/road"]
    going_on = worker.trainer_words(options)
    assert going_on == ["train", "--resume=runs/road", *[each for each in options if each not in began]]
    assert create_parser().parse_args(going_on).resume == Path("runs/road")


def _ports() -> int:
    """A prefix that gives two free ports when 0 and 1 are appended."""
    while True:
        prefix = random.randrange(2000, 6500)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", prefix * 10))
            second.bind(("127.0.0.1", prefix * 10 + 1))
            return prefix
