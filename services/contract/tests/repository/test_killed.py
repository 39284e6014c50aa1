"""Killed at any step of any command, the repository is as before or as after, and the next command continues."""

import subprocess
import sys
from pathlib import Path

import pytest

from contract import checksums, versions
from contract.repository.labels import label
from contract.repository.prune import prune
from contract.serving_config.models_config import models

KILLED = Path(__file__).with_name("killed.py")

# What there is before: how many versions of the model, and its label stable. Then the command.
CASES = {
    "a first publish": (0, None, "publish"),
    "a publish": (2, None, "publish"),
    "a publish that the label has to follow": (3, 1, "publish"),
    "a new label": (3, None, "label road canary 1"),
    "a label that moves": (4, 1, "label road stable 4"),
    "a label that goes": (3, 1, "label road stable --remove"),
    "a rollback": (3, 1, "rollback road"),
    "a rollback by name": (3, None, "rollback road --to 1"),
    "a prune": (5, 1, "prune road"),
    "a removal": (4, 1, "remove road 2"),
    "a first publish of what only a GPU loads": (0, None, "publish gpu"),
}
GPU = "models.gpu.config"


def served(root, config="models.config"):
    """What serving makes of the repository: the versions loaded and the labels of each model, every version whole."""
    state = {}
    for name, model in models(root / config).items():
        for version in versions(root, name):
            assert checksums.damage(root / name / str(version)) is None
        state[name] = (sorted(model.policy.loads(versions(root, name))), dict(model.labels))
    return state


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request, root, publish_versions):
    count, stable, command = request.param
    publish_versions(1, "signs")
    publish_versions(count)
    if stable:
        label(root, "road", "stable", stable)
    return command.split()


def test_at_every_step_the_repository_is_as_before_or_as_after(root, tmp_path, case, publish_versions):
    before, before_on_gpu, versions_before = served(root), served(root, GPU), set(versions(root, "road"))
    (tmp_path / "killed").mkdir()
    subprocess.run([sys.executable, str(KILLED), str(root), str(tmp_path / "killed"), *case], check=True)
    whole = tmp_path / "killed" / "whole"
    after, after_on_gpu, versions_after = served(whole), served(whole, GPU), set(versions(whole, "road"))
    assert (after, after_on_gpu, versions_after) != (before, before_on_gpu, versions_before)

    copies = [copy for copy in (tmp_path / "killed").iterdir() if copy != whole]
    assert len(copies) >= 4  # the lock, and one file replaced: opened, synced, renamed
    for copy in copies:
        assert served(copy) in (before, after)
        assert served(copy, GPU) in (before_on_gpu, after_on_gpu)
        there = set(versions(copy, "road"))
        assert versions_before & versions_after <= there <= versions_before | versions_after

        root.rename(root.with_name("taken"))
        copy.rename(root)
        (version,) = publish_versions(1)
        assert version == max(there, default=0) + 1
        assert version in served(root, GPU)["road"][0]
        prune(root, "road")
        assert not list(root.rglob(".tmp-*"))
        root.rename(copy)
        root.with_name("taken").rename(root)
