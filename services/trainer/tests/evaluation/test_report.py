"""The report of an evaluation."""

import html.parser
import json
import re
import weakref

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.evaluation.comparison import Comparison, compare, spread, worst_of
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.report import write_report
from trainer.evaluation.results import EvaluationContext, results_of, to_json
from trainer.evaluation.summary import describe_evaluation
from trainer.frozen.latency import Latency
from trainer.inference.tta import PLAIN
from trainer.metrics import create_metrics
from trainer.metrics.boundary_f1 import TOLERANCE
from trainer.metrics.overlap import mean_iou


@pytest.fixture
def measured(labelled, oracle):
    """An evaluation of three images with three classes, two of which were found; and its results."""
    label = np.kron([[0, 1], [1, 0]], np.ones((10, 10), np.uint8))
    dataset = labelled([label] * 3, [label, 1 - label, label * 0], 3)
    segmenter = oracle(dataset, 20, 20)
    evaluation = evaluate(segmenter, dataset, "test", metrics=create_metrics(TOLERANCE), keep_worst=2)
    context = EvaluationContext(segmenter, dataset, PLAIN, Latency(12.34, 56.78, 20))
    return evaluation, results_of(evaluation, context), dataset


class Page(html.parser.HTMLParser):
    """What a browser would load, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.loaded += [value for name, value in attributes if name in ("src", "href", "srcset")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_is_complete_and_loads_nothing(measured, tmp_path):
    evaluation, results, dataset = measured
    results["model"]["name"] = "<b>mine</b> & yours"
    worst = worst_of(evaluation, dataset)
    write_report(tmp_path / "report", results, evaluation.metrics, worst, worst[:1])
    text = (tmp_path / "report/report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.loaded) == 3 * 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.loaded)
    assert "@import" not in text
    assert "url(" not in text
    assert "<b>mine</b> & yours" in page.text  # as text, and no tag
    assert f"{results['miou']:.4f}" in page.text
    assert "12.3 ms" in page.text
    assert "7.00" in page.text  # GFLOPs


def test_markdown_has_every_class_and_links_its_images(measured, tmp_path):
    evaluation, results, dataset = measured
    results["classes"][1]["name"] = "left|right"
    write_report(tmp_path / "new/report", results, evaluation.metrics, worst_of(evaluation, dataset), [])
    text = (tmp_path / "new/report/report.md").read_text()
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    overall = [metric for metric in evaluation.metrics[1:] if metric.overall_name]  # the first is in the heading
    described = ["network", "GFLOPs", "latency"]
    assert [len(table) for table in tables] == [2 + len(overall) + len(described), 2 + 3, 2 + 3]
    per_class = [metric.title for metric in evaluation.metrics if metric.name]
    assert tables[1][0] == f"| class | fraction of labels | {' | '.join(per_class)} |"
    for table in tables:
        assert len({re.sub(r"\\\|", "", line).count("|") for line in table}) == 1, table
    for name in re.findall(r"!\[.*\]\(<(.*)>\)", text):
        assert cv2.imread(str(tmp_path / "new/report" / name)).shape[1] > 4 * 20
    assert sorted(p.name for p in (tmp_path / "new/report/worst").iterdir()) == ["001_1.jpg", "002_2.jpg"]


def test_results_as_json_are_what_was_measured(measured):
    evaluation, results, _ = measured
    read = json.loads(to_json(results))
    assert read["miou"] == mean_iou(evaluation.confusion)
    assert {"miou", "pixel_accuracy", "dice", "boundary_f1"} <= read.keys()  # a program reads these names
    assert np.array(read["confusion"]).sum() == 3 * 400
    assert [c["iou"] is None for c in read["classes"]] == [False, False, True]
    assert read["per_image"][0] == {"id": "0", "miou": 1.0}
    assert read["latency"] == {"p50_ms": 12.34, "p95_ms": 56.78, "calls": 20}


def test_summary_for_a_terminal(measured):
    evaluation, results, _ = measured
    lines = describe_evaluation(results, evaluation.metrics, evaluation.card_metrics).splitlines()
    assert lines[0] == f"test mIoU {results['miou']:.4f} over 3 images: oracle, once, stretched to the input size"
    *name, values = lines[5].split(maxsplit=2)
    assert name == ["class", "2"]  # in no label and never predicted
    cells = dict(zip([metric.name for metric in evaluation.metrics if metric.name], values.split(), strict=True))
    assert {cells[name] for name in ("iou", "dice", "recall", "precision", "boundary_f1")} == {"-"}
    assert "  12.3 ms for one 20x20 image, 95 of 100 within 56.8 ms (20 calls, warm)" in lines


def test_at_most_two_images_are_held_in_memory(measured, tmp_path):
    evaluation, results, _ = measured
    made = []

    def images():
        for number in range(5):
            panel = np.zeros((20, 20, 3), np.uint8)
            made.append(weakref.ref(panel))
            yield Comparison(str(number), 0.5, {"image": panel})
            assert all(before() is None for before in made[:-1])

    write_report(tmp_path / "report", results, evaluation.metrics, [], images())
    assert len(made) == len(Page((tmp_path / "report/report.html").read_text()).loaded) == 5
    assert not (tmp_path / "report/panels").exists()


def test_existing_folder_is_kept_and_a_failure_leaves_nothing(measured, tmp_path, monkeypatch):
    evaluation, results, _ = measured
    (tmp_path / "report").mkdir()
    with pytest.raises(UserError, match=r"report exists already: name a new folder with --report"):
        write_report(tmp_path / "report", results, evaluation.metrics, [], [])
    incomplete = {key: results[key] for key in results if key != "classes"}
    with pytest.raises(KeyError):
        write_report(tmp_path / "other", incomplete, evaluation.metrics, [], [])
    assert {p.name for p in tmp_path.iterdir()} == {"report", "images", "masks", "dataset.json"}


def test_errors_are_red_and_ignored_pixels_striped(measured):
    _, _, dataset = measured
    image = np.full((20, 30, 3), 100, np.uint8)
    label, mask = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    mask[5:10, 5:10] = 1
    label[:, 20:] = 255
    errors = compare(image, label, mask, dataset.classes)["errors"]
    red = (errors == (225, 40, 40)).all(-1)
    np.testing.assert_array_equal(red, mask == 1)
    assert {tuple(c) for c in errors[:, 20:].reshape(-1, 3)} == {(20, 20, 20), (235, 235, 235)}
    small = compare(image, label, mask, dataset.classes, max_width=15)
    assert {panel.shape for panel in small.values()} == {(10, 15, 3)}


def test_sample_is_spread_over_the_split():
    assert spread(list("abcdefghi"), 3) == ["a", "e", "i"]
    assert spread(list("ab"), 5) == ["a", "b"]
    assert spread(list("ab"), 0) == []
