"""The Grafana dashboard uses metrics and labels that the gateway exposes."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from segstack_testing.waiting import wait_until

FILE = Path(__file__).parents[1] / "grafana/dashboard.json"


@pytest.fixture
def dashboard():
    return json.loads(FILE.read_text())


def test_metrics_and_labels_of_the_dashboard_are_exposed(dashboard, make_gateway, serving, jpeg):
    serving.publish("shapes", 2)
    client = make_gateway(shadow="shapes:1=1")
    client.post("/segment", content=jpeg)
    client.post("/segment", content=b"no image")
    wait_until(lambda: "segstack_gateway_agreement_ratio{" in client.get("/metrics").text)
    exposed = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            exposed.setdefault(sample.name, set()).update(sample.labels)

    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    for expression in expressions:
        names = re.findall(r"\b(?:segstack|process)_\w+", expression)
        assert names, expression
        labels = set().union(*(exposed.get(name, set()) for name in names))
        for name in names:
            assert name in exposed, f"{name} in {expression}"
        for label in re.findall(r"[{,](\w+)=", expression):
            assert label in labels, f"{label} in {expression}"


def test_panels_do_not_overlap_and_have_distinct_titles(dashboard):
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)
