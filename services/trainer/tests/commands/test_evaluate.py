"""``segstack evaluate``."""

import json

import pytest


@pytest.fixture(scope="module")
def evaluated(published, dataset, tmp_path_factory):
    """The result of one evaluation: status, standard output, the report's folder."""
    import contextlib
    import io

    from trainer.commands.cli import main

    report, printed = tmp_path_factory.mktemp("evaluated") / "report", io.StringIO()
    words = [dataset.root, "--model", published.folder.parent, "--report", report, "--visualize", 2]
    with contextlib.redirect_stdout(printed):
        status = main([str(word) for word in ("evaluate", *words)])
    return status, printed.getvalue(), report


def test_published_model_is_evaluated(evaluated, published):
    status, out, report = evaluated
    assert status == 0
    assert out.startswith(f"test mIoU {published.card.metrics.miou:.4f} over {published.card.metrics.images} images")
    assert out.endswith(f"report: {report}/report.html\n")


def test_report_has_the_worst_images_and_the_sample(evaluated, published):
    _, _, report = evaluated
    assert {p.name for p in report.iterdir()} == {"report.html", "report.md", "metrics.json", "worst", "images"}
    assert len(list((report / "worst").iterdir())) == min(8, published.card.metrics.images)
    assert len(list((report / "images").iterdir())) == 2


def test_run_has_the_metrics_of_its_published_model_as_json(trainer, run, published, dataset):
    status, out, _ = trainer("evaluate", dataset.root, "--model", run.folder, "--json", "--no-time")
    results = json.loads(out)
    assert status == 0
    assert round(results["miou"], 4) == published.card.metrics.miou
    assert results["model"]["flops"] == published.card.flops
    assert results["latency"] is None


def test_min_miou_has_its_own_exit_status(trainer, published, dataset):
    words = [dataset.root, "--model", published.folder, "--no-time", "--boundary", 0, "--split", "validation"]
    status, out, err = trainer("evaluate", *words, "--min-miou", 0.999, "--flip", "--sliding-window", "--scales", 1)
    assert status == 3
    assert "mirrored horizontally, through a sliding window" in out
    assert err.splitlines()[-1].startswith("trainer: validation mIoU 0.")
    assert err.splitlines()[-1].endswith("is below --min-miou 0.999")
    assert trainer("evaluate", *words, "--min-miou", 0.0)[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--visualize", "3"], "--visualize adds images to the report: name its folder with --report"),
        (["--report", "."], ". exists already: name a new folder with --report"),
        (["--boundary", "3"], "--boundary 3: expected a fraction of the diagonal, 0 to 1"),
        (["--min-miou", "70"], "--min-miou 70: expected 0 to 1; 70 % is 0.7"),
        (["--scales", "0"], "--scales 0: expected factors from 0.1 to 8"),
        (["--batch-size", "0"], "--batch-size 0: expected 1 or more"),
        (["--split", "tset"], "there is no split 'tset': choose one of train, validation, test"),
        (["--model", "nowhere"], "nowhere is not a network: expected a run folder, models_repo/NAME or"),
        (["--serving", "8500"], "--serving 8500: expected HOST:PORT of the gRPC port, as localhost:8500"),
    ],
    ids=" ".join,
)
def test_user_error_is_one_sentence(trainer, published, dataset, words, message):
    status, out, err = trainer("evaluate", dataset.root, "--model", published.folder, *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {message}")
    assert err.count("\n") == 1


def test_metrics_are_printed_before_a_report_that_cannot_be_written(trainer, published, dataset, tmp_path):
    (tmp_path / "file").touch()
    words = [dataset.root, "--model", published.folder, "--no-time", "--boundary", 0]
    status, out, err = trainer("evaluate", *words, "--report", tmp_path / "file/report")
    assert status == 1
    assert out.startswith("test mIoU ")
    assert "Not a directory" in err


def test_earlier_spelling_of_the_data_set_is_accepted(trainer, published, tmp_path):
    status, _, err = trainer("evaluate", "--model", published.folder, "--data", tmp_path / "nowhere")
    assert status == 1
    assert "nowhere is not a data set" in err
