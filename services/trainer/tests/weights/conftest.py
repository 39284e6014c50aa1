"""PyTorch checkpoints for the tests of weights."""

from segstack_testing.torch_checkpoints import save_torch, state_dict_of, torch_tensor  # noqa: F401
