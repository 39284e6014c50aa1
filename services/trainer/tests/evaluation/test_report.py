"""The report of an evaluation."""

import html.parser
import json
import re
import weakref

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.evaluation.compared import Compared, spread, worst_of
from trainer.evaluation.comparison_images import compare
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.facts import Circumstances, facts_of
from trainer.evaluation.report import to_json, write_report
from trainer.evaluation.summary import describe_evaluation
from trainer.frozen.latency import Latency
from trainer.inference.test_time_augmentation import PLAIN
from trainer.metrics.boundary_f1 import Boundary


@pytest.fixture
def measured(labelled, oracle):
    """An evaluation of three images with three classes, two of which were found; and its facts."""
    label = np.kron([[0, 1], [1, 0]], np.ones((10, 10), np.uint8))
    dataset = labelled([label] * 3, [label, 1 - label, label * 0], 3)
    segmenter = oracle(dataset, 20, 20)
    evaluation = evaluate(segmenter, dataset, "test", boundary=Boundary(), keep_worst=2)
    how = Circumstances(segmenter, dataset, PLAIN, Boundary(), Latency(12.34, 56.78, 20))
    return evaluation, facts_of(evaluation, how), dataset


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


def test_the_page_is_whole_and_loads_nothing(measured, tmp_path):
    evaluation, facts, dataset = measured
    facts["model"]["name"] = "<b>mine</b> & yours"
    worst = worst_of(evaluation, dataset)
    write_report(tmp_path / "report", facts, worst, worst[:1])
    text = (tmp_path / "report/report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert len(page.loaded) == 3 * 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.loaded)
    assert "@import" not in text
    assert "url(" not in text
    assert "<b>mine</b> & yours" in page.text  # as text, and no tag
    assert f"{facts['miou']:.4f}" in page.text
    assert "12.3 ms" in page.text
    assert "7.00" in page.text  # GFLOPs


def test_markdown_has_every_class_and_its_pictures_beside_it(measured, tmp_path):
    evaluation, facts, dataset = measured
    facts["classes"][1]["name"] = "left|right"
    write_report(tmp_path / "new/report", facts, worst_of(evaluation, dataset), [])
    text = (tmp_path / "new/report/report.md").read_text()
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert [len(table) for table in tables] == [2 + 6, 2 + 3, 2 + 3]
    for table in tables:
        assert len({re.sub(r"\\\|", "", line).count("|") for line in table}) == 1, table
    for name in re.findall(r"!\[.*\]\(<(.*)>\)", text):
        assert cv2.imread(str(tmp_path / "new/report" / name)).shape[1] > 4 * 20
    assert sorted(p.name for p in (tmp_path / "new/report/worst").iterdir()) == ["001_1.jpg", "002_2.jpg"]


def test_the_facts_are_json_and_what_was_measured(measured):
    evaluation, facts, _ = measured
    read = json.loads(to_json(facts))
    assert read["miou"] == evaluation.confusion.miou()
    assert np.array(read["confusion"]).sum() == 3 * 400
    assert [c["iou"] is None for c in read["classes"]] == [False, False, True]
    assert read["per_image"][0] == {"id": "0", "miou": 1.0}
    assert read["latency"] == {"p50_ms": 12.34, "p95_ms": 56.78, "calls": 20}


def test_the_same_for_a_terminal(measured):
    evaluation, facts, _ = measured
    lines = describe_evaluation(facts, evaluation.metrics).splitlines()
    assert lines[0] == f"test mIoU {facts['miou']:.4f} over 3 images: oracle, once, stretched to the input size"
    assert lines[5].split() == ["class", "2", "-", "-", "-", "-", "-"]
    assert "  12.3 ms for one 20x20 image, 95 of 100 within 56.8 ms (20 calls, warm)" in lines


def test_of_many_pictures_two_at_most_are_held(measured, tmp_path):
    _, facts, _ = measured
    made = []

    def pictures():
        for number in range(5):
            panel = np.zeros((20, 20, 3), np.uint8)
            made.append(weakref.ref(panel))
            yield Compared(str(number), 0.5, {"image": panel})
            assert all(before() is None for before in made[:-1])

    write_report(tmp_path / "report", facts, [], pictures())
    assert len(made) == len(Page((tmp_path / "report/report.html").read_text()).loaded) == 5
    assert not (tmp_path / "report/panels").exists()


def test_nothing_is_overwritten_and_nothing_half_written(measured, tmp_path, monkeypatch):
    _, facts, _ = measured
    (tmp_path / "report").mkdir()
    with pytest.raises(UserError, match=r"report exists already: name a new folder with --report"):
        write_report(tmp_path / "report", facts, [], [])
    with pytest.raises(KeyError):
        write_report(tmp_path / "other", {key: facts[key] for key in facts if key != "classes"}, [], [])
    assert {p.name for p in tmp_path.iterdir()} == {"report", "images", "masks", "dataset.json"}


def test_pictures_show_errors_in_red_and_ignored_pixels_striped(measured):
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


def test_examples_come_from_all_over_the_split():
    assert spread(list("abcdefghi"), 3) == ["a", "e", "i"]
    assert spread(list("ab"), 5) == ["a", "b"]
    assert spread(list("ab"), 0) == []
