"""``python -m trainer evaluate``."""

import json

import pytest


@pytest.fixture(scope="module")
def evaluated(published, dataset, tmp_path_factory):
    """What one evaluation says and leaves: status, standard output, the report's folder."""
    import contextlib
    import io

    from trainer.commands.cli import main

    report, said = tmp_path_factory.mktemp("evaluated") / "report", io.StringIO()
    words = ["--model", published.folder.parent, "--data", dataset.root, "--report", report, "--visualize", 2]
    with contextlib.redirect_stdout(said):
        status = main([str(word) for word in ("evaluate", *words)])
    return status, said.getvalue(), report


def test_a_published_model_is_evaluated(evaluated, published):
    status, out, report = evaluated
    assert status == 0
    assert out.startswith(f"test mIoU {published.card.metrics.miou:.4f} over {published.card.metrics.images} images")
    assert out.endswith(f"report: {report}/report.html\n")


def test_its_report_has_the_worst_images_and_those_asked_for(evaluated, published):
    _, _, report = evaluated
    assert {p.name for p in report.iterdir()} == {"report.html", "report.md", "metrics.json", "worst", "pictures"}
    assert len(list((report / "worst").iterdir())) == min(8, published.card.metrics.images)
    assert len(list((report / "pictures").iterdir())) == 2


def test_a_run_is_evaluated_alike_and_tells_machines(trainer, run, published, dataset):
    status, out, _ = trainer("evaluate", "--model", run.folder, "--data", dataset.root, "--json", "--no-time")
    facts = json.loads(out)
    assert status == 0
    assert round(facts["miou"], 4) == published.card.metrics.miou
    assert facts["model"]["flops"] == published.card.flops
    assert facts["latency"] is None


def test_a_gate_for_scripts_has_a_status_of_its_own(trainer, published, dataset):
    words = ["--model", published.folder, "--data", dataset.root, "--no-time", "--boundary", 0, "--split", "validation"]
    status, out, err = trainer("evaluate", *words, "--min-miou", 0.999, "--flip", "--sliding-window", "--scales", 1)
    assert status == 3
    assert "mirrored horizontally, through a sliding window" in out
    assert err.splitlines()[-1].startswith("trainer: validation mIoU 0.")
    assert err.splitlines()[-1].endswith("is below --min-miou 0.999")
    assert trainer("evaluate", *words, "--min-miou", 0.0)[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--visualize", "3"], "--visualize draws pictures into the report: name its folder with --report"),
        (["--report", "."], ". exists already: name a new folder with --report"),
        (["--boundary", "3"], "--boundary 3: expected a share of the diagonal, 0 to 1"),
        (["--min-miou", "70"], "--min-miou 70: expected 0 to 1; 70 % is 0.7"),
        (["--scales", "0"], "--scales 0: expected factors from 0.1 to 8"),
        (["--batch-size", "0"], "--batch-size 0: expected 1 or more"),
        (["--split", "tset"], "there is no split 'tset': choose one of train, validation, test"),
        (["--model", "nowhere"], "nowhere holds no network: expected a run folder, models_repo/NAME or"),
        (["--serving", "8500"], "--serving 8500: expected HOST:PORT of the gRPC port, as localhost:8500"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence(trainer, published, dataset, words, said):
    status, out, err = trainer("evaluate", "--model", published.folder, "--data", dataset.root, *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {said}")
    assert err.count("\n") == 1


def test_a_report_that_cannot_be_written_loses_no_figures(trainer, published, dataset, tmp_path):
    (tmp_path / "file").touch()
    words = ["--model", published.folder, "--data", dataset.root, "--no-time", "--boundary", 0]
    status, out, err = trainer("evaluate", *words, "--report", tmp_path / "file/report")
    assert status == 1
    assert out.startswith("test mIoU ")
    assert "Not a directory" in err
