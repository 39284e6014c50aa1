"""States on disk: whole or not at all, the last two, and the newest that can be read."""

import resource
import signal

import keras
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.runs import RunFolder
from trainer.training.checkpoint import State, load_state, restore, save_state
from trainer.training.distribution import Distribution


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def state(step, size=3):
    return State(step, [np.arange(size, dtype=np.float32), np.array([7, step], np.uint32)], {"epochs": step // 10})


def test_saved_state_is_loaded(run):
    save_state(run, state(12))
    loaded = load_state(run)
    assert (loaded.step, loaded.facts) == (12, {"epochs": 1})
    for ours, theirs in zip(loaded.values, state(12).values, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_last_two_states_are_kept(run):
    for step in (5, 100, 20000):
        save_state(run, state(step))
    assert sorted(path.name for path in run.state.iterdir()) == ["step-00000100.npz", "step-00020000.npz"]
    assert run.last_saved_step() == 20000


@pytest.mark.parametrize("kept_bytes", [-40, 0])
def test_damaged_state_is_skipped(run, kept_bytes):
    save_state(run, state(1))
    save_state(run, state(5))
    newest = run.state / "step-00000005.npz"
    newest.write_bytes(newest.read_bytes()[:kept_bytes])
    assert load_state(run).step == 1

    save_state(run, state(2))  # resumed from there
    assert [path.name for path in sorted(newest.parent.iterdir())] == ["step-00000001.npz", "step-00000002.npz"]
    assert run.last_saved_step() == 2


def test_half_written_state_is_removed(run):
    save_state(run, state(1))
    (run.state / ".tmp-step-00000002.npz").write_bytes(b"half")
    save_state(run, state(3))
    assert sorted(path.name for path in run.state.iterdir()) == ["step-00000001.npz", "step-00000003.npz"]


def test_failed_write_keeps_earlier_states(run):
    save_state(run, state(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(run, state(2, size=10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in run.state.iterdir()] == ["step-00000001.npz"]


def test_missing_state_is_a_user_error_with_a_remedy(run):
    assert run.last_saved_step() is None
    with pytest.raises(UserError, match="holds no saved state of a training: it ended before its first state"):
        load_state(run)
    run.best.touch()
    with pytest.raises(UserError, match="holds no saved state of a training: start a new run with `--set weights="):
        load_state(run)


def test_variables_are_restored(run):
    save_state(run, state(4))
    variables = [keras.Variable(np.zeros(3, np.float32)), keras.Variable(np.zeros(2, np.uint32), dtype="uint32")]
    assert restore(run, variables, Distribution()) == {"epochs": 0}
    for variable, value in zip(variables, state(4).values, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_state_of_a_different_network_is_a_user_error(run):
    save_state(run, state(4))
    with pytest.raises(UserError, match="its state does not fit the network"):
        restore(run, [keras.Variable(np.zeros(3, np.float32))], Distribution())
