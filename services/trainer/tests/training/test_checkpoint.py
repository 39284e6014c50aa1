"""States on disk: whole or not at all, the last two, and the newest that can be read."""

import resource
import signal

import keras
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.training.checkpoint import State, last_saved, load_state, restore, save_state
from trainer.training.distribution import Distribution


def state(step, size=3):
    return State(step, [np.arange(size, dtype=np.float32), np.array([7, step], np.uint32)], {"epochs": step // 10})


def test_what_is_saved_is_loaded(tmp_path):
    save_state(tmp_path, state(12))
    loaded = load_state(tmp_path)
    assert (loaded.step, loaded.facts) == (12, {"epochs": 1})
    for ours, theirs in zip(loaded.values, state(12).values, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_the_last_two_are_kept(tmp_path):
    for step in (5, 100, 20000):
        save_state(tmp_path, state(step))
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["step-00000100.npz", "step-00020000.npz"]
    assert last_saved(tmp_path) == 20000


@pytest.mark.parametrize("kept_bytes", [-40, 0])
def test_a_damaged_one_is_passed_over(tmp_path, kept_bytes):
    save_state(tmp_path, state(1))
    save_state(tmp_path, state(5))
    newest = tmp_path / "state" / "step-00000005.npz"
    newest.write_bytes(newest.read_bytes()[:kept_bytes])
    assert load_state(tmp_path).step == 1

    save_state(tmp_path, state(2))  # gone on from there
    assert [path.name for path in sorted(newest.parent.iterdir())] == ["step-00000001.npz", "step-00000002.npz"]
    assert last_saved(tmp_path) == 2


def test_what_a_killed_process_left_is_removed(tmp_path):
    save_state(tmp_path, state(1))
    (tmp_path / "state" / ".tmp-step-00000002.npz").write_bytes(b"half")
    save_state(tmp_path, state(3))
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["step-00000001.npz", "step-00000003.npz"]


def test_a_file_that_cannot_be_written_leaves_the_states_there_were(tmp_path):
    save_state(tmp_path, state(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(tmp_path, state(2, size=10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["step-00000001.npz"]


def test_without_any_it_says_how_to_go_on_all_the_same(tmp_path):
    assert last_saved(tmp_path) is None
    with pytest.raises(UserError, match="holds no saved state of a training: it ended before there was one"):
        load_state(tmp_path)
    (tmp_path / "best.keras").touch()
    with pytest.raises(UserError, match="holds no saved state of a training: a new run with `--set weights="):
        load_state(tmp_path)


def test_variables_are_restored(tmp_path):
    save_state(tmp_path, state(4))
    variables = [keras.Variable(np.zeros(3, np.float32)), keras.Variable(np.zeros(2, np.uint32), dtype="uint32")]
    assert restore(tmp_path, variables, Distribution()) == {"epochs": 0}
    for variable, value in zip(variables, state(4).values, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_state_of_another_network_is_refused(tmp_path):
    save_state(tmp_path, state(4))
    with pytest.raises(UserError, match="its state is of another network"):
        restore(tmp_path, [keras.Variable(np.zeros(3, np.float32))], Distribution())
