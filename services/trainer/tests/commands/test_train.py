"""``python -m trainer train``: what it refuses before TensorFlow is imported, and that it trains and resumes."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")


def test_it_trains_then_goes_on_for_longer(trainer, tiny_file, tmp_path):
    run = tmp_path / "run"
    status, out, said = trainer("train", "--config", tiny_file, "--run", run, "--set", "data.batch_size=16")
    assert status == 0, said
    assert out.startswith(f"trained: {run}, best validation mIoU 0.")
    status, out, said = trainer("train", "--resume", run, "--set", "epochs=2")
    assert status == 0, said
    assert "going on after step 5 of 10, with the learning rate at 0.0268; epochs was 1, is 2" in said
    assert out.startswith(f"trained: {run}, best validation mIoU 0.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "RECIPE"], "--config goes with --run, the new run folder"),
        (["--resume", "nowhere", "--run", "elsewhere"], "--config goes with --run, the new run folder"),
        (["--resume", "nowhere"], "nowhere is no run folder: it has no recipe.yaml"),
        (
            ["--config", "RECIPE", "--run", "new", "--set", "epochs=0"],
            "epochs: Input should be greater than or equal to 1",
        ),
        (["--config", "RECIPE", "--run", "new", "--publish", "a/b"], "a/b"),
        (["--config", "RECIPE", "--run", "new", "--checkpoint-minutes", "-1"], "--checkpoint-minutes -1: expected 0"),
        (["--config", "RECIPE", "--run", "new", "--checkpoint-minutes", "nan"], "--checkpoint-minutes nan: expected 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(trainer, tiny_file, words, said):
    status, _, error = trainer("train", *(tiny_file if word == "RECIPE" else word for word in words))
    assert status == 1
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words", [[], ["--config", "x", "--resume", "y"], ["--resume", "y", "--gpu", "0", "--multi-gpu"]]
)
def test_it_wants_one_of_each_choice(trainer, words, capsys):
    with pytest.raises(SystemExit):
        trainer("train", *words)
    assert "usage: python -m trainer train" in capsys.readouterr().err
