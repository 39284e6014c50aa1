"""POST /segment/batch."""

import io
import json
import threading
from zipfile import ZipFile

import grpc
import numpy as np
import pytest

from segstack_testing.gateways import metric
from segstack_testing.images import encode
from segstack_testing.waiting import wait_until


def opened(reply) -> dict[str, bytes]:
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def files(*named):
    return [("image", each) for each in named]


def test_images_are_answered_in_order_as_by_segment(client, photo):
    bodies = [encode(np.rot90(photo, turns), "PNG") for turns in range(4)]
    reply = client.post("/segment/batch", files=files(*((f"{i}.jpg", body) for i, body in enumerate(bodies))))
    entries = opened(reply)
    assert list(entries) == ["0.png", "1.png", "2.png", "3.png", "manifest.json"]
    for i, body in enumerate(bodies):
        assert entries[f"{i}.png"] == client.post("/segment", content=body).content
    assert json.loads(entries["manifest.json"])["images"][3] == {
        "file": "3.jpg",
        "entry": "3.png",
        "status": 200,
        "model": "shapes",
        "version": 1,
    }


@pytest.mark.parametrize(
    ("query", "extension"),
    [("output=json", "json"), ("output=overlay", "jpg"), ("output=color&format=webp", "webp"), ("size=model", "png")],
)
def test_parameters_are_those_of_segment(client, jpeg, query, extension):
    entries = opened(client.post(f"/segment/batch?{query}", files=files(("a.jpg", jpeg))))
    assert entries[f"a.{extension}"] == client.post(f"/segment?{query}", content=jpeg).content


def test_invalid_image_is_an_error_entry_and_the_others_are_answered(make_gateway, jpeg):
    client = make_gateway(max_image_bytes=8192, max_pixels=128 * 96)
    sent = {
        "good.jpg": jpeg,
        "cut.jpg": jpeg[:-100],
        "text.txt": b"hello",
        "wide.png": encode(np.zeros((4, 4000), np.uint8), "PNG"),
        "long.png": bytes(8193),
        "none.png": b"",
        "last.jpg": jpeg,
    }
    entries = opened(client.post("/segment/batch", files=files(*sent.items())))
    errors = {
        name: (image["status"], json.loads(entries[image["entry"]])["error"]["code"])
        for name, image in zip(sent, json.loads(entries["manifest.json"])["images"], strict=True)
        if image["status"] != 200
    }
    assert errors == {
        "cut.jpg": (400, "undecodable_image"),
        "text.txt": (415, "unsupported_image"),
        "wide.png": (413, "image_too_large"),
        "long.png": (413, "image_too_large"),
        "none.png": (400, "bad_request"),
    }
    assert "cut.error.json" in entries
    assert entries["good.png"] == entries["last.png"]


def test_internal_error_fails_one_image(client, jpeg, monkeypatch, caplog):
    encode = client.post("/segment", content=jpeg).content
    failures = iter([True, False])
    monkeypatch.setattr("gateway.imaging.png.encode_indexed", lambda *_: 1 / 0 if next(failures) else encode)
    entries = opened(client.post("/segment/batch", files=files(("a.jpg", jpeg), ("b.jpg", jpeg))))
    statuses = [image["status"] for image in json.loads(entries["manifest.json"])["images"]]
    assert sorted(statuses) == [200, 500]
    assert "ZeroDivisionError" in caplog.text


def test_serving_lost_during_a_batch_fails_the_remaining_images(client, serving, jpeg):
    inferred = threading.Event()

    def fail_from_the_second_on(request, context):
        if request.model_spec.signature_name != "describe":
            if inferred.is_set():
                context.abort(grpc.StatusCode.UNAVAILABLE, "scripted")
            inferred.set()

    serving.before_predict = fail_from_the_second_on
    entries = opened(client.post("/segment/batch", files=files(*((f"{i}.jpg", jpeg) for i in range(4)))))
    statuses = [image["status"] for image in json.loads(entries["manifest.json"])["images"]]
    assert sorted(statuses) == [200, 503, 503, 503]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/segment/batch?model=road", 404, "unknown_model"),
        ("/segment/batch?version=9", 404, "unknown_version"),
        ("/segment/batch?classes=boat", 422, "invalid_parameter"),
        ("/segment/batch?output=mask&format=jpeg", 422, "invalid_parameter"),
    ],
)
def test_invalid_parameter_fails_the_whole_batch(client, jpeg, path, status, code):
    reply = client.post(path, files=files(("a.jpg", jpeg)))
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("request_body", "status", "match"),
    [
        ({"content": b"\xff\xd8\xff"}, 400, "-F image=@one.jpg -F image=@two.png"),
        ({"files": files(*((f"{i}", b"x") for i in range(4)))}, 400, "Maximum number of files is 3"),
        ({"files": {"photos": b"x"}}, 400, "it has ['photos']"),
        ({"files": {"image": b"x"}, "data": {"output": "json"}}, 400, "query string: ?output="),
        ({"files": {"image": bytes(200_000)}}, 413, "10240 bytes together"),
    ],
)
def test_invalid_batch_body_is_refused_with_the_remedy(make_gateway, request_body, status, match):
    client = make_gateway(max_batch_images=3, max_batch_bytes=10240)
    reply = client.post("/segment/batch", **request_body)
    assert reply.status_code == status
    assert match in reply.json()["error"]["message"]


def test_place_is_held_until_the_last_byte(client, serving, jpeg, gate):
    client.post("/segment", content=jpeg)  # the card is known: only images wait from here on
    serving.before_predict = lambda request, context: gate.wait(10)
    with client.stream("POST", "/segment/batch", files=files(("a.jpg", jpeg))) as reply:
        assert reply.status_code == 200
        assert metric(client, "segstack_gateway_entered") == 1
        gate.set()
        reply.read()
    assert list(opened(reply)) == ["a.png", "manifest.json"]
    wait_until(lambda: metric(client, "segstack_gateway_entered") == 0)


def test_disconnect_during_a_batch_frees_the_place(client, serving, jpeg, gate):
    client.post("/segment", content=jpeg)
    serving.before_predict = lambda request, context: gate.wait(10)
    with client.stream("POST", "/segment/batch", files=files(*((f"{i}.jpg", jpeg) for i in range(5)))) as reply:
        assert reply.status_code == 200
    gate.set()
    wait_until(lambda: metric(client, "segstack_gateway_entered") == 0)
    images = [request for request in serving.predictions if request.model_spec.signature_name != "describe"]
    assert len(images) < 1 + 5
