"""How a training ends before its time, in one sentence. Whole trainings that do are in test_loop.py."""

import pytest
import tensorflow as tf

from trainer.errors import UserError
from trainer.training.distribution import Distribution
from trainer.training.endings import ends_with_a_sentence


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("run/events; No space left on device", "run: No space left on device. No state had been saved yet"),
        ("OOM when allocating tensor", "the device's memory does not hold a batch of 4: lower data.batch_size"),
    ],
)
def test_a_full_disk_is_told_from_a_full_device(tiny_recipe, tmp_path, message, said):
    with (
        pytest.raises(UserError, match=said),
        ends_with_a_sentence(tmp_path / "run", tiny_recipe(), Distribution(), lambda: None),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, message)
