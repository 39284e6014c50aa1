"""A training that is killed and resumed ends with the weights of one that was not."""

import signal

import numpy as np
import pytest

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras"),
]

# Batches of one: an epoch has so many steps that a test on a busy machine sees some of them, and kills before its end.
_SET = (
    "deterministic=true",
    "epochs=2",
    "data.batch_size=1",
    "average=0.99",
    "optimizer.name=adamw",
    "optimizer.learning_rate=0.002",
)


def test_sigkill_within_an_epoch(tiny_process, tiny_file, finish, wait_for, weights_of, tmp_path):
    settings = [word for setting in _SET for word in ("--set", setting)]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(tiny_process("train", "--config", tiny_file, "--run", whole, *settings))

    process = tiny_process("train", "--config", tiny_file, "--run", killed, *settings, "--checkpoint-minutes", 0)
    wait_for(lambda: any(killed.glob("state/step-000000[0-3][4-9].npz")), process)  # of 70 or so in an epoch
    process.send_signal(signal.SIGKILL)
    process.wait()
    (*_, newest) = sorted(killed.glob("state/step-*.npz"))
    assert not (killed / "last.keras").exists(), f"{newest} is not in the first epoch: killed too late"

    assert f"resumed after step {int(newest.stem[5:])} of " in finish(tiny_process("train", "--resume", killed))
    for name in ("last.keras", "best.keras"):
        for ours, theirs in zip(weights_of(whole, name), weights_of(killed, name), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    cut = [[line.split(",")[:5] for line in (run / "metrics.csv").read_text().splitlines()] for run in (whole, killed)]
    assert cut[0] == cut[1]  # epoch, step and losses, to the last printed digit
