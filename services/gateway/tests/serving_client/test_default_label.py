"""GATEWAY_DEFAULT_LABEL over HTTP: a version can be loaded before it answers; a missing label fails no request."""

import asyncio
import io
import json
import logging
from zipfile import ZipFile

import pytest

from gateway.api.targets import Target
from gateway.serving_client import default_label
from gateway.serving_client.calls import UnknownLabel
from gateway.serving_client.default_label import DefaultLabel
from gateway.serving_client.protocol import serving_pb2 as pb
from segstack_testing.gateways import own_records
from segstack_testing.waiting import wait_until


@pytest.fixture
def stable(serving):
    """Serving whose version 1 is stable, and whose newest is version 2."""
    serving.publish("shapes", 2, architecture="ddrnet39")
    serving.labels["shapes", "stable"] = 1
    return serving


@pytest.fixture
def client(make_gateway):
    return make_gateway(default_label="stable")


@pytest.fixture
def patience(monkeypatch):
    """``patience(seconds)``: for how long a missing label is not looked up again."""
    return lambda seconds: monkeypatch.setattr(default_label, "_RETRY_AFTER_S", seconds)


def version(client, jpeg, query="", **headers):
    reply = client.post(f"/segment{query}", content=jpeg, headers=headers)
    assert reply.status_code == 200
    return reply.headers["X-Model-Version"]


@pytest.mark.parametrize(
    ("query", "answers"), [("", "1"), ("?model=shapes", "1"), ("?version=2", "2"), ("?label=next", "2")]
)
def test_default_label_answers_requests_without_version_and_label(stable, client, jpeg, query, answers):
    stable.labels["shapes", "next"] = 2
    assert version(client, jpeg, query) == answers


def test_default_label_answers_a_batch(stable, client, jpeg):
    reply = client.post("/segment/batch", files={"image": ("a.jpg", jpeg)})
    with ZipFile(io.BytesIO(reply.content)) as archive:
        assert json.loads(archive.read("manifest.json"))["images"][0]["version"] == 1


def test_readyz_and_model_details_describe_the_labelled_version(stable, client):
    assert client.get("/readyz").json()["version"] == 1
    found = client.get("/models/shapes").json()
    assert (found["version"], found["label"], found["architecture"]) == (1, "stable", "ddrnet23_slim")

    stable.labels["shapes", "stable"] = 2  # and no mask was requested since
    assert client.get("/readyz").json()["version"] == 2
    found = client.get("/models/shapes").json()
    assert (found["version"], found["label"], found["architecture"]) == (2, "stable", "ddrnet39")


def test_canary_answers_a_fraction_with_a_default_label(stable, make_gateway, jpeg):
    client = make_gateway(default_label="stable", canary="shapes:2=0.5")
    chosen = [version(client, jpeg, **{"X-Session-Id": f"camera-{number}"}) for number in range(40)]
    assert 8 <= chosen.count("2") <= 32
    assert set(chosen) == {"1", "2"}


def test_shadow_is_compared_with_the_default_label(stable, make_gateway, jpeg):
    client = make_gateway(default_label="stable", shadow="shapes:2=1")
    assert version(client, jpeg) == "1"
    wait_until(lambda: client.get("/models/shapes/agreement").json()["compared"])
    [pair] = client.get("/models/shapes/agreement").json()["comparisons"]
    assert (pair["version"], pair["shadow_version"]) == (1, 2)


def test_moved_label_is_followed(stable, client, jpeg):
    assert version(client, jpeg) == "1"
    stable.labels["shapes", "stable"] = 2
    assert version(client, jpeg) == "2"


def test_default_label_costs_no_further_call(stable, client, jpeg):
    for _ in range(3):
        version(client, jpeg)
    assert [request.model_spec.signature_name for request in stable.predictions] == ["describe"] + 3 * [
        "serving_default"
    ]
    assert stable.metadata_requests == 1


def test_model_without_the_label_is_answered_by_its_newest_version(serving, make_gateway, jpeg, caplog):
    serving.publish("shapes", 2)
    client = make_gateway(default_label="stabel")
    with caplog.at_level(logging.WARNING):
        assert [version(client, jpeg) for _ in range(3)] == ["2"] * 3
    [warning] = [record.getMessage() for record in own_records(caplog)]
    assert "model 'shapes' has no version labelled 'stabel'" in warning
    assert client.get("/readyz").json()["version"] == 2
    found = client.get("/models/shapes").json()
    assert (found["version"], found["label"]) == (2, None)


def test_missing_label_is_not_looked_up_for_each_request(serving, client, jpeg, patience):
    patience(3600)
    for _ in range(3):
        version(client, jpeg)
    assert serving.metadata_requests == 2  # of the label, and of the newest version
    assert not any(request.model_spec.version_label for request in serving.predictions)


def test_label_that_is_set_later_is_found(serving, client, jpeg, patience):
    patience(0)
    serving.publish("shapes", 2)
    assert version(client, jpeg) == "2"
    serving.labels["shapes", "stable"] = 1
    assert version(client, jpeg) == "1"


def test_removed_label_falls_back_to_the_newest_version(stable, client, jpeg, patience):
    patience(0)
    assert version(client, jpeg) == "1"
    del stable.labels["shapes", "stable"]
    assert [version(client, jpeg) for _ in range(3)] == ["2"] * 3
    by_label = [request for request in stable.predictions if request.model_spec.version_label]
    assert len(by_label) == 2  # the second failed: no further image is sent until the label is set
    assert client.get("/readyz").json()["version"] == 2


def test_label_on_a_version_that_is_not_loaded_falls_back_to_the_newest(stable, client, jpeg, patience):
    patience(0)
    stable.publish("shapes", 3)
    stable.states["shapes", 3] = (pb.ModelVersionStatus.LOADING, "")
    stable.labels["shapes", "stable"] = 3
    assert version(client, jpeg) == "2"
    assert client.get("/readyz").json()["version"] == 2
    assert client.post("/segment?label=stable", content=jpeg).json()["error"]["code"] == "unknown_version"

    stable.states["shapes", 3] = (pb.ModelVersionStatus.AVAILABLE, "")
    assert version(client, jpeg) == "3"


def test_newest_version_does_not_answer_while_the_labelled_one_loads_at_start(stable, client, jpeg):
    stable.states["shapes", 1] = (pb.ModelVersionStatus.LOADING, "")
    for reply in (client.post("/segment", content=jpeg), client.get("/readyz")):
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")
        assert "labelled 'stable' is still loading" in reply.json()["error"]["message"]
        assert reply.headers["Retry-After"]

    stable.states["shapes", 1] = (pb.ModelVersionStatus.AVAILABLE, "")
    assert version(client, jpeg) == "1"


def test_label_first_set_on_a_loading_version_fails_no_request(serving, client, jpeg, patience):
    patience(0)
    serving.publish("shapes", 2)
    assert version(client, jpeg) == "2"
    serving.states["shapes", 1] = (pb.ModelVersionStatus.LOADING, "")
    serving.labels["shapes", "stable"] = 1
    assert version(client, jpeg) == "2"

    serving.states["shapes", 1] = (pb.ModelVersionStatus.AVAILABLE, "")
    assert version(client, jpeg) == "1"


@pytest.mark.anyio
async def test_missing_label_is_looked_up_by_one_request_at_a_time(patience):
    patience(0.0)
    requested = []

    async def fetch(target):
        requested.append(target.label)
        await asyncio.sleep(0)
        if target.label:
            raise UnknownLabel(target.model, target.label)

    pinned = DefaultLabel("stable")

    async def request():
        await pinned.apply(Target("shapes"), fetch)

    await request()
    requested.clear()
    patience(3600)
    await asyncio.gather(*(request() for _ in range(5)))
    assert requested.count("stable") == 1
    assert requested.count(None) == 5


def test_without_a_loaded_version_the_error_is_the_models_own(stable, client, jpeg):
    for number in (1, 2):
        stable.states["shapes", number] = (pb.ModelVersionStatus.END, "no saved_model.pb")
    reply = client.post("/segment", content=jpeg)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")
    assert "no saved_model.pb" in reply.json()["error"]["message"]
