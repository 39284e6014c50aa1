"""What the tests of commands share with those of training and weights."""

from segstack_testing.tiny_training import tiny_file, tiny_network  # noqa: F401
from segstack_testing.torch_checkpoints import save_torch, state_dict_of, torch_tensor  # noqa: F401
