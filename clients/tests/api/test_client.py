"""``Client`` against a real gateway."""

import itertools
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import segclient
from segclient import AsyncClient, ClassInfo, Client, GatewayError, ImageError, SettingsError, Unreachable
from segstack_testing.gateways import make_api_keys
from segstack_testing.waiting import wait_until


@pytest.mark.parametrize("given", ["file name", "path", "bytes", "pixels"])
def test_mask_has_the_images_size_and_its_classes(client, photo, jpeg, quarters, tmp_path, given) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(jpeg)
    result = client.segment({"file name": str(file), "path": file, "bytes": jpeg, "pixels": photo}[given])
    assert result.mask.dtype == np.uint8
    assert (result.mask == quarters).mean() > 0.99  # JPEG blurs the quarters' edges
    assert result.classes[3] == ClassInfo(3, "fußgänger", (70, 90, 230))
    assert (result.ignore_id, result.model, result.version) == (255, "shapes", 1)


def test_areas_are_fractions_of_the_pixels_by_name(client, jpeg) -> None:
    areas = client.segment(jpeg).areas
    assert areas == pytest.approx({"background": 0.25, "car": 0.25, "tree": 0.25, "fußgänger": 0.25}, abs=0.02)


def test_timings_have_the_gateways_stages_and_the_round_trip(client, jpeg) -> None:
    timings = client.segment(jpeg).timings
    stages = (timings.decode_ms, timings.queue_ms, timings.infer_ms, timings.encode_ms)
    assert min(stages) >= 0
    assert 0 < sum(stages) < timings.round_trip_ms


def test_size_classes_min_confidence_and_version_are_sent(client, jpeg, serving) -> None:
    assert client.segment(jpeg, size="model").mask.shape == (48, 64)
    assert set(client.segment(jpeg, classes=["car", 2]).areas) == {"car", "tree"}
    assert "background" not in client.segment(jpeg, min_confidence=0.5).areas
    serving.publish("shapes", 2)
    assert client.segment(jpeg, version=1).version == 1
    assert client.segment(jpeg).version == 2


def test_color_and_overlay_have_the_classes_colours(client, photo, quarters) -> None:
    result = client.segment(photo)
    assert result.color()[10, 10].tolist() == [220, 60, 60]
    overlay = result.overlay(photo, alpha=0.5)
    assert overlay.shape == photo.shape
    assert overlay[10, 10].tolist() == [210, 40, 40]
    assert overlay[80, 120].tolist() == [0, 0, 0], "the background stays the photo's own"


def test_overlay_fits_an_image_of_another_size(client, photo) -> None:
    twice = np.ascontiguousarray(photo.repeat(2, 0).repeat(2, 1))
    assert client.segment(photo, size="model").overlay(twice, alpha=1)[20, 20].tolist() == [220, 60, 60]


@pytest.mark.parametrize(
    ("output", "media_type"), [("mask", "image/png"), ("color", "image/png"), ("overlay", "image/jpeg")]
)
def test_render_returns_the_gateways_bytes(client, jpeg, output, media_type) -> None:
    reply = client.render(jpeg, output)
    assert reply.media_type == media_type
    assert cv2.imdecode(np.frombuffer(reply.body, np.uint8), cv2.IMREAD_COLOR).shape == (96, 128, 3)
    assert reply.request_id


def test_models_are_listed(client) -> None:
    assert client.models() == segclient.Models(("shapes",), "shapes")


def test_error_has_the_gateways_message_status_and_code(client) -> None:
    with pytest.raises(GatewayError, match="JPEG, PNG") as caught:
        client.segment(b"GIF89a" + bytes(100))
    assert (caught.value.status, caught.value.code) == (415, "unsupported_image")
    assert caught.value.request_id
    with pytest.raises(GatewayError, match="did you mean 'car'"):
        client.segment(np.zeros((8, 8, 3), np.uint8), classes=["cra"])


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("nowhere.jpg", "nowhere.jpg: No such file or directory; expected a JPEG"),
        (np.zeros((8, 8), np.uint8), r"uint8 \[8, 8\]: expected uint8 \[height, width, 3\]"),
        (np.zeros((8, 8, 3), np.float32), "float32"),
        (np.zeros((0, 8, 3), np.uint8), "expected"),
    ],
)
def test_invalid_image_is_refused_without_a_request(client, serving, image, sentence) -> None:
    with pytest.raises(ImageError, match=sentence):
        client.segment(image)
    assert not serving.predictions


def test_segment_many_keeps_the_order_and_takes_few_ahead(client, photo) -> None:
    taken = itertools.count()
    endless = (np.full((8, 8, 3), (200, 20, 20) if next(taken) % 2 else (20, 200, 20), np.uint8) for _ in iter(int, 1))
    results = client.segment_many(endless, parallel=3)
    assert [max(next(results).areas) for _ in range(10)] == ["tree", "car"] * 5
    assert next(taken) <= 10 + 3
    results.close()


def test_error_of_segment_many_is_raised_or_returned_in_its_place(client, jpeg) -> None:
    images = [jpeg, b"no image", jpeg]
    with pytest.raises(GatewayError):
        list(client.segment_many(images))
    first, second, third = client.segment_many(images, return_exceptions=True)
    assert first.model == third.model == "shapes"
    assert isinstance(second, GatewayError)


def test_request_is_sent_again_after_retry_after(make_gateway, serving, submit, gate, jpeg) -> None:
    url = str(make_gateway(max_in_flight=1, max_waiting=0).base_url)
    serving.before_predict = lambda request, context: gate.wait(30)
    with Client(url) as client, Client(url, patience_s=0) as impatient:
        first = submit(client.segment, jpeg)
        wait_until(lambda: len(serving.predictions) > 0)
        with pytest.raises(GatewayError, match="maximum") as caught:
            impatient.segment(jpeg)
        assert caught.value.retry_after_s == 2
        second = submit(client.segment, jpeg)
        gate.set()
        assert first.result().model == second.result().model == "shapes"


@pytest.mark.stream
def test_restarting_gateway_is_waited_for(serving, jpeg, submit, run_gateway) -> None:
    with run_gateway() as running:
        address = str(running.client.base_url)
        client = Client(address, patience_s=120)
        client.segment(jpeg)
    away = submit(client.segment, jpeg)
    with run_gateway(port=running.client.base_url.port):
        assert away.result().model == "shapes"
        client.close()


def test_gateway_that_never_answered_is_unreachable_at_once(unused_address, jpeg) -> None:
    with (
        Client(f"http://{unused_address}", patience_s=600) as client,
        pytest.raises(Unreachable, match="make gateway"),
    ):
        client.segment(jpeg)


def test_silent_server_is_unreachable_after_the_timeout(jpeg) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.2) as client,
        pytest.raises(Unreachable, match=r"did not answer within 0.2 s"),
    ):
        client.segment(jpeg)


def test_wrong_path_is_a_gateway_error(url, jpeg) -> None:
    with Client(f"{url}/static") as client, pytest.raises(GatewayError, match="static"):
        client.segment(jpeg)


@pytest.fixture
def key(tmp_path: Path) -> str:
    return make_api_keys(tmp_path / "api-keys", "tests")[0]


def test_api_key_is_an_argument_or_an_environment_variable(make_gateway, key, tmp_path, jpeg, monkeypatch) -> None:
    url = str(make_gateway(api_keys_file=tmp_path / "api-keys").base_url)
    with Client(url) as client, pytest.raises(GatewayError, match="an API key is needed"):
        client.segment(jpeg)
    with Client(url, api_key=key) as client:
        assert client.segment(jpeg).model == "shapes"
    monkeypatch.setenv("SEGCLIENT_API_KEY", key)
    monkeypatch.setenv("SEGCLIENT_URL", url)
    with Client() as client:
        assert client.segment(jpeg).model == "shapes"
        assert key not in repr(client.connection)


def test_ca_file_makes_a_private_certificate_trusted(make_gateway, shared_certificates, jpeg) -> None:
    ca = shared_certificates / "ca.pem"
    gateway = make_gateway(
        verify=ssl.create_default_context(cafile=ca),
        tls_certificate=shared_certificates / "gateway.pem",
        tls_key=shared_certificates / "gateway.key",
    )
    url = str(gateway.base_url)
    with Client(url, ca=ca) as client:
        assert client.segment(jpeg).model == "shapes"
    with Client(url) as client, pytest.raises(Unreachable, match=r"not trusted.*ca\.pem"):
        client.segment(jpeg)
    with Client(url.replace("https", "http")) as client, pytest.raises(Unreachable):
        client.segment(jpeg)


def test_https_to_a_plain_port_is_explained(url, jpeg) -> None:
    with Client(url.replace("http", "https")) as client, pytest.raises(Unreachable, match="does not speak TLS"):
        client.segment(jpeg)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"url": "ftp://here"}, "is not a gateway's URL; expected"),
        ({"url": "http://"}, "is not a gateway's URL; expected"),
        ({"url": "http://a:port"}, "is not a URL"),
        ({"api_key": "schlüssel"}, "characters that no key has"),
        ({"timeout_s": 0}, "more than 0"),
        ({"patience_s": -1}, "a patience of -1 s: expected 0 or more"),
        ({"patience_s": float("nan")}, "a patience of nan s: expected 0 or more"),
        ({"url": "https://here", "ca": "nowhere.pem"}, "nowhere.pem cannot be used.*No such file"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_invalid_settings_are_refused(kind, arguments, sentence) -> None:
    with pytest.raises(SettingsError, match=sentence):
        kind(**arguments)


def test_url_may_lack_its_scheme_and_have_a_path() -> None:
    assert Client("localhost:8080").connection.stream_url == "ws://localhost:8080/stream"
    assert Client("https://here/masks/").connection.stream_url == "wss://here/masks/stream"


def test_loopback_is_reached_without_a_proxy(url, jpeg, monkeypatch, unused_address) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{unused_address}")
    monkeypatch.setenv("http_proxy", f"http://{unused_address}")
    with Client(url) as client:
        assert client.segment(jpeg).model == "shapes"


def test_import_loads_neither_tensorflow_nor_a_service() -> None:
    code = "import sys, segclient; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert not {"tensorflow", "keras", "contract", "trainer", "gateway", "serving", "grpc"} & set(done.stdout.split())


def test_close_finishes_requests_under_way_and_fails_those_that_wait(make_gateway, serving, submit, gate, jpeg) -> None:
    client = Client(str(make_gateway(max_in_flight=1, max_waiting=0).base_url), patience_s=600)
    serving.before_predict = lambda request, context: gate.wait(30)
    under_way = submit(client.segment, jpeg)
    wait_until(lambda: len(serving.predictions) > 0)
    waiting = submit(client.segment, jpeg)
    wait_until(lambda: client._retries.quiet_until > 0)
    closing = submit(client.close)
    with pytest.raises(Unreachable, match="has been closed"):
        waiting.result()
    assert not closing.done()
    gate.set()
    assert under_way.result().model == "shapes"
    closing.result()
    with pytest.raises(Unreachable, match="has been closed"):
        client.segment(jpeg)
