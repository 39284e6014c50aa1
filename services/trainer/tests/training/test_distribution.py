"""Where a training runs. What several devices and machines come to is in test_several_devices.py."""

import json

import numpy as np
import pytest

from trainer.errors import UserError
from trainer.training.distribution import Distribution, create_distribution


def test_one_device_is_its_own_chief_and_asks_nobody():
    alone = Distribution()
    assert (alone.replicas, alone.is_chief, alone.is_alone) == (1, True, True)
    array = np.array([1, 2])
    assert alone.sum(array) is array
    assert alone.text_from_chief("so") == "so"
    assert alone.any(True)
    assert not alone.any(False)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"gpu": 3}, "--gpu 3: no such GPU on this machine: there "),
        ({"gpu": -1}, "--gpu -1: no such GPU on this machine: there "),
        ({"multi_gpu": True}, "--multi-gpu: there is no GPU that TensorFlow can use on this machine"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(wish, said, monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    with pytest.raises(UserError, match=said):
        create_distribution(**wish)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "Expecting property name"),
        ({"cluster": {"worker": ["a:1"]}}, "'task'"),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}, "worker 1 is none of the cluster's"),
        ({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}, "ps 0 is none of the cluster's"),
    ],
)
def test_a_tf_config_that_cannot_be_used_is_refused(config, said, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(UserError, match=f"{said}.*; expected for instance"):
        create_distribution()
