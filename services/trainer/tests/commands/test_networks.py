"""``segstack models networks``."""

import re

import pytest

from trainer.commands.cli import main

SLIM, SMALL = "ddrnet23_slim", "deeplabv3plus_mobilenetv3_small"


def rows(out):
    """Each network's values, in the order of the lines."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:]}


@pytest.fixture
def models(capsys):
    def run(*words):
        status = main(["models", *words])
        return status, *capsys.readouterr()

    return run


@pytest.mark.networks
def test_parameters_flops_and_milliseconds_are_listed_lightest_first(models):
    status, out, err = models(SLIM, SMALL, "--size", "64", "96")
    assert status == 0
    assert out.startswith("one 64x96 image, 19 classes")
    assert list(rows(out)) == [SMALL, SLIM]
    parameters, gflops, milliseconds = rows(out)[SLIM]
    assert parameters == "5,695,987"
    # The authors count 36.3 G multiply-adds at 1024x2048, which is 341 times as many pixels.
    assert float(gflops) == pytest.approx(2 * 36.3 / (1024 * 2048 / (64 * 96)), rel=0.05)
    assert float(milliseconds) > 0
    assert "2/2" in err


def test_no_time_measures_nothing(models):
    _status, out, _err = models(SMALL, "--size", "32", "32", "--classes", "2", "--no-time")
    assert re.fullmatch(r"1,06\d,\d{3}", rows(out)[SMALL][0])
    assert len(rows(out)[SMALL]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ddrnet"], "no network 'ddrnet': choose one of"),
        ([SLIM, "--size", "50", "64"], "multiples of 32, not"),
    ],
)
def test_network_that_cannot_be_built_is_one_sentence(models, words, message):
    status, out, err = models(*words, "--no-time")
    assert (status, out) == (1, "")
    assert message in err.splitlines()[-1]
