"""Signals that ask a training to end."""

import signal

import pytest

from trainer.training.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_remembered(number):
    with Interruption() as interruption:
        assert not interruption
        signal.raise_signal(number)
        assert interruption
        assert interruption.signal == number


def test_the_second_does_what_it_always_did():
    with Interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_afterwards_nothing_is_remembered():
    with Interruption() as interruption:
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not interruption
