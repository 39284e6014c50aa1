"""Every example in the OpenAPI document is the gateway's real reply."""

import io
import json
import socket
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from zipfile import ZipFile

import grpc
import pytest

from gateway.access.rate_limits import RateLimiter
from gateway.api import reply_docs
from gateway.app import create_app
from gateway.errors import GatewayError
from gateway.flow.admission import Admission
from gateway.flow.deadline import Deadline
from gateway.request.error_replies import error_response
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.settings import Settings
from segstack_testing.images import encode


@pytest.fixture(scope="module")
def openapi(tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"fleet:{'0' * 64}\n")
    return create_app(Settings(api_keys_file=keys)).openapi()


def documented(openapi, code):
    """The example of an error, which is the same at every path."""
    shown = [
        json.dumps(examples[code]["value"], sort_keys=True)
        for item in openapi["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        for examples in [response.get("content", {}).get("application/json", {}).get("examples", {})]
        if code in examples
    ]
    assert len(set(shown)) == 1
    return json.loads(shown[0])


@pytest.fixture
def small_photo(photo):
    return encode(photo[::24, ::16], "PNG")


@pytest.fixture
def road(make_gateway, serving):
    """A gateway with models road, versions 3 and 2, and shapes."""
    for version in (2, 3):
        serving.publish("road", version, name="road")
    return make_gateway(models=("road", "shapes"))


def test_example_of_bad_request(openapi, client):
    assert client.post("/segment").json() == documented(openapi, "bad_request")


def test_example_of_undecodable_image(openapi, client, jpeg):
    cut = jpeg[:-2].ljust(20480, b"\0")
    assert client.post("/segment", content=cut).json() == documented(openapi, "undecodable_image")


def test_example_of_unknown_model(openapi, road, jpeg):
    assert road.post("/segment?model=raod", content=jpeg).json() == documented(openapi, "unknown_model")


def test_example_of_unknown_version(openapi, road, jpeg):
    assert road.post("/segment?version=7", content=jpeg).json() == documented(openapi, "unknown_version")


def test_example_of_image_too_large(openapi, client):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (40_000).to_bytes(4) * 2 + bytes(9)
    assert client.post("/segment", content=header).json() == documented(openapi, "image_too_large")


def test_example_of_unsupported_image(openapi, client):
    gif = bytes.fromhex("47 49 46 38 39 61 01 00 01 00 80 00")
    assert client.post("/segment", content=gif).json() == documented(openapi, "unsupported_image")


def test_example_of_invalid_parameter(openapi, client):
    assert client.post("/segment?fomr=json").json() == documented(openapi, "invalid_parameter")


def test_example_of_bad_serving_reply(openapi, client, serving, card, jpeg):
    serving.publish("shapes", 2, replace(card, input_height=480, input_width=640))

    def to_floats(reply):
        reply.outputs["mask"].dtype = pb.DT_FLOAT

    serving.change_mask = to_floats
    assert client.post("/segment", content=jpeg).json() == documented(openapi, "bad_serving_reply")


def test_example_of_no_model(openapi, make_gateway, jpeg, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    client = make_gateway(models=(), models_config=Path("models_repo/models.config"))
    assert client.post("/segment", content=jpeg).json() == documented(openapi, "no_model")


def test_example_of_model_unavailable(openapi, road, serving, jpeg):
    del serving.cards["road"][2]
    serving.states["road", 3] = (pb.ModelVersionStatus.LOADING, "")
    assert road.post("/segment", content=jpeg).json() == documented(openapi, "model_unavailable")


def test_example_of_serving_unavailable(openapi, client, serving, jpeg):
    def unreachable(request, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses")

    serving.before_predict = unreachable
    body = client.post("/segment", content=jpeg).text.replace(serving.address, "localhost:8500")
    assert json.loads(body) == documented(openapi, "serving_unavailable")


def test_example_of_body_timeout(openapi, make_gateway):
    client = make_gateway(body_timeout_ms=201)
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as connection:
        connection.sendall(b"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        reply = HTTPResponse(connection)
        reply.begin()
        body = reply.read(int(reply.headers["Content-Length"])).decode()
    assert json.loads(body.replace("201", "30000")) == documented(openapi, "body_timeout")


def error_body(error: GatewayError):
    return json.loads(error_response(error).body)


def test_example_of_deadline_exceeded(openapi):
    assert error_body(Deadline(Settings().deadline_ms).exceeded()) == documented(openapi, "deadline_exceeded")


def test_example_of_overloaded(openapi):
    settings = Settings()
    admission = Admission(settings.max_in_flight, settings.max_waiting, 1, 1)
    with pytest.raises(GatewayError) as raised:
        _enter(admission)
    assert error_body(raised.value) == documented(openapi, "overloaded")


def _enter(admission):
    with admission.enter():
        _enter(admission)


def test_example_of_rate_limited(openapi):
    limiter = RateLimiter(clock=lambda: 0.0)

    def flood():
        while True:
            limiter.take("key 'fleet'", 20.0)

    with pytest.raises(GatewayError) as raised:
        flood()
    assert error_body(raised.value) == documented(openapi, "rate_limited")


def test_examples_of_unauthorized_and_forbidden(openapi, make_gateway, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"fleet:{'0' * 64}\n")
    client = make_gateway(api_keys_file=keys)
    assert client.post("/segment").json() == documented(openapi, "unauthorized")
    wrong = client.post("/segment", headers={"X-API-Key": "wrong"})
    assert wrong.json() == documented(openapi, "forbidden")


@pytest.mark.parametrize("name", reply_docs.segmentation_examples())
def test_examples_of_segmentations(openapi, client, small_photo, name):
    response = openapi["paths"]["/segment"]["post"]["responses"]["200"]
    example = response["content"]["application/json"]["examples"][name]
    assert client.post(f"/segment?{example['summary']}", content=small_photo).json() == example["value"]


def test_example_of_a_batchs_manifest(client, jpeg):
    files = [("image", ("photo.jpg", jpeg)), ("image", ("notes.txt", b"a note"))]
    with ZipFile(io.BytesIO(client.post("/segment/batch", files=files).content)) as archive:
        assert json.loads(archive.read("manifest.json")) == reply_docs.MANIFEST
