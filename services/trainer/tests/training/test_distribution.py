"""Where a training runs. Trainings on several devices and machines are in test_several_devices.py."""

import json

import numpy as np
import pytest

from trainer.errors import UserError
from trainer.training.distribution import Distribution, create_distribution


def test_single_device_is_its_own_chief():
    alone = Distribution()
    assert (alone.replicas, alone.is_chief, alone.is_alone) == (1, True, True)
    array = np.array([1, 2])
    assert alone.sum(array) is array
    assert alone.text_from_chief("so") == "so"
    assert alone.any(True)
    assert not alone.any(False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gpu": 3}, "--gpu 3: no such GPU on this machine: TensorFlow finds none"),
        ({"gpu": -1}, "--gpu -1: no such GPU on this machine: TensorFlow finds none"),
        ({"multi_gpu": True}, "--multi-gpu: TensorFlow finds no GPU on this machine"),
    ],
)
def test_missing_gpu_is_a_user_error(arguments, message, monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    with pytest.raises(UserError, match=message):
        create_distribution(**arguments)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "Expecting property name"),
        ({"cluster": {"worker": ["a:1"]}}, "'task'"),
        (
            {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}},
            "worker 1 is not among the cluster's",
        ),
        ({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}, "ps 0 is not among the cluster's"),
    ],
)
def test_invalid_tf_config_is_a_user_error(config, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(UserError, match=f"{message}.*; expected for instance"):
        create_distribution()
