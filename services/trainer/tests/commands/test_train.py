"""``segstack train``: user errors before TensorFlow is imported; training and resuming."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")


def test_training_is_resumed_for_more_epochs(trainer, tiny_file, tmp_path):
    run = tmp_path / "run"
    status, out, errors = trainer("train", "--config", tiny_file, "--run", run, "--set", "data.batch_size=16")
    assert status == 0, errors
    assert out.startswith(f"trained: {run}, best validation mIoU 0.")
    status, out, errors = trainer("train", "--resume", run, "--set", "epochs=2")
    assert status == 0, errors
    assert "resumed after step 5 of 10, with a learning rate of 0.0268; epochs was 1, is 2" in errors
    assert out.startswith(f"trained: {run}, best validation mIoU 0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "RECIPE"], "--config needs --run, the new run folder"),
        (["--resume", "nowhere", "--run", "elsewhere"], "--config needs --run, the new run folder"),
        (["--resume", "nowhere"], "nowhere is not a run folder: it has no recipe.yaml"),
        (
            ["--config", "RECIPE", "--run", "new", "--set", "epochs=0"],
            "epochs: Input should be greater than or equal to 1",
        ),
        (["--config", "RECIPE", "--run", "new", "--publish", "a/b"], "a/b"),
        (["--config", "RECIPE", "--run", "new", "--checkpoint-minutes", "-1"], "--checkpoint-minutes -1: expected 0"),
        (["--config", "RECIPE", "--run", "new", "--checkpoint-minutes", "nan"], "--checkpoint-minutes nan: expected 0"),
    ],
)
def test_contradictory_arguments_are_user_errors(trainer, tiny_file, words, message):
    status, _, error = trainer("train", *(tiny_file if word == "RECIPE" else word for word in words))
    assert status == 1
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words", [[], ["--config", "x", "--resume", "y"], ["--resume", "y", "--gpu", "0", "--multi-gpu"]]
)
def test_exclusive_arguments_print_the_usage(trainer, words, capsys):
    with pytest.raises(SystemExit):
        trainer("train", *words)
    assert "usage: python -m trainer train" in capsys.readouterr().err
