"""GATEWAY_CANARY over HTTP: which callers it answers, and that they stay the same."""

import io
import json
from zipfile import ZipFile

import pytest

from segstack_testing.gateways import metric

CALLERS = [f"camera-{number}" for number in range(40)]


@pytest.fixture
def trial(serving, make_gateway):
    """``trial(fraction)``: a gateway whose newest version is 2; version 1, by its label, is the canary."""
    serving.publish("shapes", 2)
    serving.labels["shapes", "trial"] = 1
    return lambda fraction, **settings: make_gateway(canary=f"shapes@trial={fraction}", **settings)


def version(client, jpeg, session, query=""):
    reply = client.post(f"/segment{query}", content=jpeg, headers={"X-Session-Id": session})
    assert reply.status_code == 200
    return reply.headers["X-Model-Version"]


def test_canary_answers_the_same_fraction_of_callers_every_time(trial, jpeg):
    first, second = trial(0.5), trial(0.5)
    chosen = [version(first, jpeg, caller) for caller in CALLERS]
    assert 8 <= chosen.count("1") <= 32  # of 40 at one half: exceeded once in 10,000 choices of names
    assert [version(second, jpeg, caller) for caller in CALLERS] == chosen


def test_larger_fraction_keeps_the_callers_of_a_smaller_one(trial, jpeg):
    small, large = trial(0.25), trial(0.75)
    few = {caller for caller in CALLERS if version(small, jpeg, caller) == "1"}
    many = {caller for caller in CALLERS if version(large, jpeg, caller) == "1"}
    assert few < many


@pytest.mark.parametrize(("query", "answers"), [("", "1"), ("?model=shapes", "1"), ("?version=2", "2")])
def test_pinned_version_overrides_the_canary(trial, jpeg, query, answers):
    assert version(trial(1), jpeg, "anyone", query) == answers


def test_named_model_is_not_replaced_by_a_canary_of_another_model(make_gateway, serving, jpeg):
    serving.publish("next", 5, name="next")
    client = make_gateway(models=("shapes", "next"), canary="next=1")
    assert client.post("/segment", content=jpeg).headers["X-Model-Name"] == "next"
    assert client.post("/segment?model=shapes", content=jpeg).headers["X-Model-Name"] == "shapes"


def test_canary_that_is_not_loaded_fails_no_request(make_gateway, jpeg):
    client = make_gateway(canary="shapes:9=1")
    assert version(client, jpeg, "anyone") == "1"
    assert metric(client, "segstack_gateway_canary_absent_total") == 1


def test_canary_without_a_requested_class_fails_no_request(make_gateway, serving, card, jpeg):
    serving.publish("next", 1, name="next", classes=card.classes[:2], metrics=None)
    serving.networks["next", 1] = lambda image: (image.max(2) > 100).astype("uint8")
    client = make_gateway(models=("shapes", "next"), canary="next=1")
    assert client.post("/segment?classes=car", content=jpeg).headers["X-Model-Name"] == "next"
    assert client.post("/segment?classes=tree", content=jpeg).headers["X-Model-Name"] == "shapes"
    assert client.post("/segment?classes=boat", content=jpeg).status_code == 422


def test_canary_answers_batches_of_the_same_callers(trial, jpeg):
    reply = trial(1).post("/segment/batch", files={"image": ("a.jpg", jpeg)})
    with ZipFile(io.BytesIO(reply.content)) as archive:
        assert json.loads(archive.read("manifest.json"))["images"][0]["version"] == 1
