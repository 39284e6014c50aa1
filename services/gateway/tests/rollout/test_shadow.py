"""GATEWAY_SHADOW over HTTP: what is compared and reported, and that no caller notices."""

import numpy as np
import pytest

from segstack_testing.waiting import wait_until


@pytest.fixture
def agreement():
    """``agreement(client, images)``: /models/shapes/agreement once as many images have ended."""

    def wait_for_images(client, images):
        def report():
            return client.get("/models/shapes/agreement").json()

        wait_until(lambda: sum(report()[outcome] for outcome in ("compared", "dropped", "failed")) >= images)
        return report()

    return wait_for_images


def without_green(image):
    """A network that has forgotten class 2."""
    mask = np.where(image.max(2) < 100, 0, image.argmax(2) + 1).astype(np.uint8)
    return np.where(mask == 2, 0, mask).astype(np.uint8)


@pytest.fixture
def forgetful(serving):
    """Serving whose version 2 has forgotten class 2, and whose newest is version 3."""
    serving.publish("shapes", 2)
    serving.publish("shapes", 3)
    serving.networks["shapes", 2] = without_green
    return serving


def test_shadow_version_is_compared_with_the_answers(make_gateway, forgetful, agreement, jpeg):
    client = make_gateway(shadow="shapes:2=1")
    reply = client.post("/segment", content=jpeg)
    assert (reply.status_code, reply.headers["X-Model-Version"]) == (200, "3")

    report = agreement(client, 1)
    assert (report["shadow"], report["share"], report["compared"], report["failed"]) == ("shapes:2", 1, 1, 0)
    [pair] = report["comparisons"]
    assert (pair["version"], pair["shadow_model"], pair["shadow_version"]) == (3, "shapes", 2)
    assert pair["total"] == pair["window"]
    assert pair["total"]["images"] == 1
    # Version 2 sees a quarter of the image as background where version 3 sees a tree.
    assert pair["total"]["pixel_agreement"] == pytest.approx(0.75, abs=0.01)
    ious = pair["total"]["per_class_iou"]
    assert ious["tree"] == 0
    assert ious["background"] == pytest.approx(0.5, abs=0.02)
    assert ious["car"] == pytest.approx(1, abs=0.02)
    assert pair["total"]["miou"] == pytest.approx(np.mean(list(ious.values())))

    metrics = client.get("/metrics").text
    assert 'segstack_gateway_shadow_images_total{outcome="compared"} 1.0' in metrics
    labels = 'model="shapes",shadow_model="shapes",shadow_version="2",version="3"'
    assert f'segstack_gateway_agreement_ratio{{measure="miou",{labels}}} 0.6' in metrics


def test_shadow_may_be_a_model_with_another_input_size(make_gateway, serving, agreement, jpeg):
    serving.publish("small", 7, name="small", input_height=24, input_width=32)
    client = make_gateway(models=("shapes", "small"), shadow="small=1")
    assert client.post("/segment", content=jpeg).headers["X-Model-Name"] == "shapes"
    [pair] = agreement(client, 1)["comparisons"]
    assert (pair["shadow_model"], pair["shadow_version"]) == ("small", 7)
    assert pair["total"]["miou"] > 0.95


def test_failing_shadow_is_reported_and_fails_no_request(make_gateway, agreement, jpeg):
    client = make_gateway(shadow="shapes:9=1")
    assert [client.post("/segment", content=jpeg).status_code for _ in range(3)] == [200] * 3
    report = agreement(client, 3)
    assert report["failed"] + report["dropped"] == 3
    assert "no version 9" in report["last_error"]
    assert report["comparisons"] == []


def test_slow_shadow_delays_no_request_and_further_images_are_dropped(make_gateway, serving, agreement, jpeg, gate):
    def wait_if_shadow(request, context):
        if request.model_spec.HasField("version"):
            gate.wait(30)

    client = make_gateway(shadow="shapes:1=1", deadline_ms=10_000)
    client.post("/segment", content=jpeg)
    agreement(client, 1)
    serving.before_predict = wait_if_shadow
    assert [client.post("/segment", content=jpeg).status_code for _ in range(4)] == [200] * 4
    assert agreement(client, 4)["dropped"] == 3
    gate.set()
    assert agreement(client, 5)["compared"] == 2


@pytest.mark.parametrize("query", ["version=1", "model=road"])
def test_requests_with_a_model_or_version_are_not_shadowed(make_gateway, serving, jpeg, query):
    serving.publish("shapes", 2)
    serving.publish("road", 1, name="road")
    client = make_gateway(models=("shapes", "road"), shadow="shapes:2=1")
    assert client.post(f"/segment?{query}", content=jpeg).status_code == 200
    report = client.get("/models/shapes/agreement").json()
    assert (report["compared"], report["dropped"], report["failed"]) == (0, 0, 0)


def test_agreement_of_a_model_without_a_shadow_is_empty(client):
    report = client.get("/models/shapes/agreement").json()
    assert (report["shadow"], report["share"], report["comparisons"]) == (None, None, [])
    assert client.get("/models/road/agreement").status_code == 404
