"""The error table: each status, its code and its shape, over real HTTP and real gRPC."""

import time

import grpc
import pytest

from contract.wire import varint
from gateway import errors
from gateway.serving_client.protocol import serving_pb2 as pb
from segstack_testing.images import encode
from segstack_testing.waiting import scaled, wait_until


def shape_is_documented(reply):
    body = reply.json()
    return (
        set(body) == {"error"}
        and set(body["error"]) == {"code", "message", "detail"}
        and reply.headers["content-type"] == "application/json"
        and "X-Request-Id" in reply.headers
    )


def check(reply, status, code, match=""):
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert shape_is_documented(reply)
    assert match in reply.json()["error"]["message"]
    assert ("Retry-After" in reply.headers) == (status in (429, 503))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_image_cut_in_half_is_400(client, photo, kind):
    data = encode(photo, kind)
    check(client.post("/segment", content=data[: len(data) // 2]), 400, "undecodable_image", "truncated")


def test_empty_body_is_400(client):
    check(client.post("/segment"), 400, "bad_request", "empty")


def test_unknown_model_is_404_and_lists_the_known(client, jpeg):
    reply = client.post("/segment?model=road", content=jpeg)
    check(reply, 404, "unknown_model", "published models: shapes")
    assert reply.json()["error"]["detail"]["available"] == ["shapes"]


def test_model_that_serving_does_not_have_yet_is_503(make_gateway, jpeg):
    reply = make_gateway(models=("road",)).post("/segment", content=jpeg)
    check(reply, 503, "model_unavailable", "serving does not have model 'road' yet")
    assert int(reply.headers["Retry-After"]) > 0


def test_unknown_version_is_404_and_lists_the_loaded(client, jpeg):
    check(client.post("/segment?version=9", content=jpeg), 404, "unknown_version", "loaded versions: 1")


def test_unknown_path_is_404_and_wrong_method_is_405(client):
    check(client.get("/nothing"), 404, "not_found", "/docs")
    reply = client.get("/segment")
    check(reply, 405, "method_not_allowed")
    assert reply.headers["Allow"] == "POST"


def test_too_many_bytes_or_pixels_is_413(make_gateway, jpeg):
    check(
        make_gateway(max_image_bytes=1024).post("/segment", content=bytes(1025)), 413, "image_too_large", "1024 bytes"
    )
    check(make_gateway(max_pixels=128 * 96 - 1).post("/segment", content=jpeg), 413, "image_too_large", "128x96")


def test_body_that_is_no_image_is_415(client):
    check(client.post("/segment", content=b"GIF89a" + bytes(100)), 415, "unsupported_image", "JPEG, PNG or WebP")


def test_unknown_or_invalid_parameter_is_422(client, jpeg):
    check(client.post("/segment?colour=red", content=jpeg), 422, "invalid_parameter", "colour")
    check(client.post("/segment?alpha=2", content=jpeg), 422, "invalid_parameter", "alpha=2")
    check(client.get("/models?page=2"), 422, "invalid_parameter", "page")


def test_more_requests_than_places_is_429(make_gateway, serving, jpeg, gate, submit):
    serving.before_predict = lambda request, context: gate.wait(30)
    client = make_gateway(max_in_flight=1, max_waiting=0)
    first = submit(client.post, "/segment", content=jpeg)
    wait_until(lambda: serving.predictions)
    check(client.post("/segment", content=jpeg), 429, "overloaded")
    gate.set()
    assert first.result(30).status_code == 200
    assert client.post("/segment", content=jpeg).status_code == 200


def mask_of_floats(reply):
    reply.outputs["mask"].dtype = pb.DT_FLOAT


def mask_of_an_unknown_type(reply):
    reply.outputs["mask"].dtype = 14


def mask_without_its_last_row(reply):
    reply.outputs["mask"].tensor_shape.dim[1].size -= 1


def mask_of_few_values(reply):
    reply.outputs["mask"].int_val = reply.outputs["mask"].int_val[:5]


def mask_of_large_values(reply):
    reply.outputs["mask"].int_val = varint(300) + reply.outputs["mask"].int_val[1:]


def mask_that_is_cut_off(reply):
    reply.outputs["mask"].int_val = reply.outputs["mask"].int_val[:-1] + b"\x80"


def mask_of_an_unknown_class(reply):
    reply.outputs["mask"].int_val = varint(77) + reply.outputs["mask"].int_val[1:]


def logits_for_a_mask(reply):
    reply.outputs["logits"].CopyFrom(reply.outputs.pop("mask"))


def no_version(reply):
    reply.model_spec.ClearField("version")


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (mask_of_floats, "float32"),
        (mask_of_an_unknown_type, "type 14"),
        (mask_without_its_last_row, "[1, 47, 64]"),
        (mask_of_few_values, "5 values"),
        (mask_of_large_values, "outside 0 to 255"),
        (mask_that_is_cut_off, "ends in the middle of a number"),
        (mask_of_an_unknown_class, "class 77"),
        (logits_for_a_mask, "['logits']"),
        (no_version, "version 0"),
    ],
)
def test_mask_that_breaks_the_contract_is_502(client, serving, jpeg, spoil, match):
    serving.change_mask = spoil
    check(client.post("/segment", content=jpeg), 502, "bad_serving_reply", match)


@pytest.mark.parametrize("path", ["/segment", "/readyz"])
def test_reply_that_is_no_protobuf_is_502(client, serving, jpeg, path):
    serving.serialize = lambda reply: b"\xff\xff\xff"
    reply = client.post(path, content=jpeg) if path == "/segment" else client.get(path)
    check(reply, 502, "bad_serving_reply", "cannot be parsed")


def card_without_fields(reply):
    reply.outputs["model_card"].string_val[0] = b"{}"


def no_card(reply):
    del reply.outputs["model_card"].string_val[:]


@pytest.mark.parametrize(("spoil", "match"), [(card_without_fields, "export it again"), (no_card, "0 strings")])
def test_unreadable_card_is_502(make_gateway, serving, jpeg, spoil, match):
    serving.change_card = spoil
    check(make_gateway().post("/segment", content=jpeg), 502, "bad_serving_reply", match)


def input_of_floats(reply):
    found = pb.SignatureDefMap.FromString(reply.metadata["signature_def"].value)
    found.signature_def["serving_default"].inputs["image"].dtype = pb.DT_FLOAT
    reply.metadata["signature_def"].value = found.SerializeToString()


def unreadable_signatures(reply):
    reply.metadata["signature_def"].value = b"\xff\xff"


@pytest.mark.parametrize(
    ("spoil", "match"), [(input_of_floats, "its card says uint8"), (unreadable_signatures, "cannot be read")]
)
def test_graph_that_contradicts_its_card_is_502(make_gateway, serving, jpeg, spoil, match):
    serving.change_metadata = spoil
    check(make_gateway().post("/segment", content=jpeg), 502, "bad_serving_reply", match)


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 502, "bad_serving_reply"),
        (grpc.StatusCode.FAILED_PRECONDITION, 502, "bad_serving_reply"),
        (grpc.StatusCode.INTERNAL, 502, "bad_serving_reply"),
        (grpc.StatusCode.UNAVAILABLE, 503, "serving_unavailable"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 503, "serving_unavailable"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "deadline_exceeded"),
    ],
)
def test_grpc_status_is_mapped_to_http(client, serving, jpeg, code, status, name):
    serving.before_predict = lambda request, context: context.abort(code, "scripted")
    check(client.post("/segment", content=jpeg), status, name)


def test_no_model_is_503_and_says_how_to_get_one(make_gateway, jpeg):
    client = make_gateway(models=())
    check(client.post("/segment", content=jpeg), 503, "no_model", "GATEWAY_MODELS_CONFIG")
    check(client.get("/readyz"), 503, "no_model", "GATEWAY_MODELS_CONFIG")


def test_loading_model_is_503(client, serving, jpeg):
    serving.states["shapes", 1] = (pb.ModelVersionStatus.LOADING, "")
    check(client.post("/segment", content=jpeg), 503, "model_unavailable", "LOADING")


def test_unreachable_serving_is_503_until_it_is_back(client, serving, jpeg):
    assert client.post("/segment", content=jpeg).status_code == 200
    serving.stop()
    check(client.post("/segment", content=jpeg), 503, "serving_unavailable", serving.address)
    assert client.get("/livez").status_code == 200
    check(client.get("/readyz"), 503, "serving_unavailable")

    serving.start()
    wait_until(lambda: client.post("/segment", content=jpeg).status_code == 200, 3)
    assert client.get("/readyz").status_code == 200


def test_exceeded_deadline_is_504(make_gateway, serving, jpeg, gate):
    serving.before_predict = lambda request, context: gate.wait(10)
    client = make_gateway(deadline_ms=200)
    started_at = time.monotonic()
    check(client.post("/segment", content=jpeg), 504, "deadline_exceeded", "200 ms")
    assert time.monotonic() - started_at < 2


def test_wait_that_leaves_no_time_for_inference_is_429(make_gateway, serving, jpeg, gate, submit):
    serving.before_predict = lambda request, context: gate.wait(10)
    # The two that wait give up after half of it, in which all three must have begun.
    client = make_gateway(deadline_ms=round(scaled(500)), max_in_flight=1, max_waiting=5)
    requests = [submit(client.post, "/segment", content=jpeg) for _ in range(3)]
    replies = sorted((request.result(30) for request in requests), key=lambda reply: reply.status_code)
    for reply in replies[:2]:
        check(reply, 429, "overloaded", "in time")
    check(replies[2], 504, "deadline_exceeded")


def test_internal_error_is_500_in_the_documented_shape(client, jpeg, monkeypatch, caplog):
    monkeypatch.setattr("gateway.results.outputs.encode", lambda *_: 1 / 0)
    reply = client.post("/segment", content=jpeg, headers={"X-Request-Id": "r-1"})
    check(reply, 500, "internal_error", "r-1")
    assert "ZeroDivisionError" in caplog.text


def test_every_error_has_a_status_a_code_and_a_place_in_the_table():
    kinds = errors.GatewayError.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert f"{kind.__name__} " in errors.__doc__
        assert (kind.retry_after_s is not None) == (kind.status in (429, 503))
