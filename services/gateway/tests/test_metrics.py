"""/metrics: what dashboards and alerts need, with labels whose number callers cannot raise."""

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import contract
from segstack_testing.images import encode


@pytest.fixture
def client(make_gateway):
    """A gateway for one test: its counters begin at 0."""
    return make_gateway()


@pytest.fixture
def samples(client):
    """``samples()``: every sample by name and labels."""

    def scrape():
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            (sample.name.removeprefix("segstack_gateway_"), *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    return scrape


def test_build_info_has_the_version(samples):
    assert samples()["build_info", ("version", contract.__version__)] == 1


def test_requests_are_counted_by_route_template_and_status(client, jpeg, samples):
    client.post("/segment?output=color", content=jpeg)
    client.post("/segment", content=b"no image")
    client.get("/models/shapes")
    client.get("/models/road")
    client.get("/no/such/page")
    found = samples()
    for method, route, status in (
        ("POST", "/segment", "200"),
        ("POST", "/segment", "415"),
        ("GET", "/models/{model}", "200"),
        ("GET", "/models/{model}", "404"),
        ("GET", "other", "404"),
    ):
        assert found["requests_total", ("method", method), ("route", route), ("status", status)] == 1
    assert found["request_seconds_count", ("route", "/segment")] == 2
    assert "no/such/page" not in str(found)


def test_errors_are_counted_by_code(client, samples):
    client.post("/segment", content=b"no image")
    client.get("/models/road")
    client.get("/models?page=2")
    found = samples()
    for code in ("unsupported_image", "unknown_model", "invalid_parameter"):
        assert found["errors_total", ("code", code)] == 1


def test_errors_of_images_in_a_batch_are_counted_by_code(client, jpeg, samples):
    sent = [("image", ("a.jpg", jpeg)), ("image", ("b.jpg", jpeg[:-20])), ("image", ("c.jpg", b"no image"))]
    assert client.post("/segment/batch", files=sent).status_code == 200
    found = samples()
    for code in ("undecodable_image", "unsupported_image"):
        assert found["errors_total", ("code", code)] == 1


def test_images_and_stages_are_counted_by_model(client, jpeg, samples):
    client.post("/segment", content=jpeg)
    client.post("/segment", content=jpeg[:-20])
    found = samples()
    assert found["images_total", ("model", "shapes"), ("version", "1")] == 1
    for stage in ("decode", "queue", "infer", "encode"):
        assert found["stage_seconds_count", ("model", "shapes"), ("stage", stage)] == 1
    assert found["in_flight",] == found["entered",] == 0


def test_class_areas_are_recorded(client, photo, samples):
    client.post("/segment", content=encode(photo, "PNG"))
    client.post("/segment", content=encode(np.full_like(photo, (20, 200, 20)), "PNG"))
    found = samples()

    def mean_area(name):
        labels = (("class", name), ("model", "shapes"))
        assert found["class_area_ratio_count", *labels] == 2
        return found["class_area_ratio_sum", *labels] / 2

    areas = {name: mean_area(name) for name in ("background", "car", "tree", "fußgänger")}
    assert areas == pytest.approx({"background": 0.125, "car": 0.125, "tree": 0.625, "fußgänger": 0.125})
