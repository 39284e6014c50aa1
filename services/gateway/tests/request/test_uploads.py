"""Request bodies, raw or multipart: what is accepted, and never more buffered than allowed."""

import json
import socket
import time

import pytest
from starlette.requests import Request

from gateway.errors import ImageTooLarge
from gateway.flow.admission import Admission
from gateway.request.uploads import read_image
from gateway.settings import Settings
from segstack_testing.gateways import metric, own_records
from segstack_testing.waiting import scaled, wait_until


def send_slowly(client, request, pieces, pause_s):
    """Send a request piece by piece on a bare socket and give the reply's status line."""
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port), timeout=scaled(10)) as connection:
        connection.sendall(request)
        for piece in pieces:
            time.sleep(pause_s)
            connection.sendall(piece)
        return connection.recv(4096).split(b"\r\n")[0].decode()


def test_content_length_over_the_limit_is_413_before_the_body_arrives(make_gateway):
    client = make_gateway(max_image_bytes=2048)
    request = b"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
    assert " 413 " in send_slowly(client, request, [], 0)


@pytest.mark.anyio
@pytest.mark.parametrize("content_type", ["image/jpeg", "multipart/form-data; boundary=b"])
async def test_no_more_than_max_image_bytes_is_read_of_an_endless_body(content_type):
    taken = 0

    async def endless():
        nonlocal taken
        opening = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
        chunk = bytes(65536) if taken or "multipart" not in content_type else opening
        taken += len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": True}

    headers = [(b"content-type", content_type.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, endless)
    with Admission(1, 0, 2**30, 1).enter() as place, pytest.raises(ImageTooLarge):
        await read_image(request, Settings(max_image_bytes=2**20), place)
    assert taken < 1.2 * 2**20


def test_max_image_bytes_excludes_the_multipart_envelope(make_gateway, jpeg):
    client = make_gateway(max_image_bytes=2048)
    padded = jpeg.ljust(2048, b"\0")
    assert client.post("/segment", files={"image": padded}).status_code == 200
    assert client.post("/segment", files={"image": padded + b"\0"}).status_code == 413


@pytest.mark.parametrize(
    ("request_body", "match"),
    [
        ({"files": {"photo": b"x"}}, "it has ['photo']"),
        ({"files": {"image": b"x", "more": b"y"}}, "Too many files"),
        ({"files": {"other": b""}, "data": {"image": "text"}}, "is text, not a file; with curl: -F image=@photo.jpg"),
        ({"content": b"--b", "headers": {"Content-Type": "multipart/form-data"}}, "boundary"),
        ({"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, "multipart"),
        ({"files": {"image": b"x", "more": b"y"}}, "or several to /segment/batch"),
        ({"files": {"image": b"x"}, "data": {"output": "json"}}, "query string: ?output="),
        ({"files": {"image": b""}}, "empty"),
        ({"content": b""}, "curl --data-binary @photo.jpg"),
    ],
)
def test_body_without_an_image_is_400_with_the_remedy(client, request_body, match):
    reply = client.post("/segment", **request_body)
    assert reply.status_code == 400
    assert match in reply.json()["error"]["message"]


def test_stalled_body_is_408(make_gateway):
    client = make_gateway(body_timeout_ms=200)
    request = b"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n\xff\xd8\xff"
    assert " 408 " in send_slowly(client, request, [], 0)


def test_body_in_many_pieces_is_accepted(client, jpeg):
    request = f"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
    pieces = [jpeg[i : i + 300] for i in range(0, len(jpeg), 300)]
    assert " 200 " in send_slowly(client, request, pieces, 0.005)


def test_disconnect_during_the_body_releases_its_place_and_logs_nothing(client, caplog):
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port)) as connection:
        connection.sendall(b"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n\xff\xd8\xff")
        wait_until(lambda: metric(client, "segstack_gateway_entered") == 1)
    wait_until(lambda: metric(client, "segstack_gateway_entered") == 0)
    assert not own_records(caplog)


IMAGE = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.jpg"\r\n\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\n" * 10_000),
        ("multipart/form-data; boundary=b", IMAGE + b"\xff\xd8\xff"),
        ("multipart/form-data; boundary=b", IMAGE * 50 + b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X-Header: y\r\n" * 20_000 + b"\r\n\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: \xff\xfe\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", IMAGE.replace(b'"image"', b"image" * 5000) + b"x\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", IMAGE.replace(b"x.jpg", b"../" * 9000) + b"x\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b; charset=nonsense", IMAGE + b"x\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b; charset=undefined", IMAGE + b"x\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b; charset=utf-7", IMAGE.replace(b"x.jpg", b"+2AA-") + b"x\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", IMAGE.replace(b'="x.jpg"', b"*=utf-7''+2AA-") + b"x\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", IMAGE.replace(b'="x.jpg"', b"*=undefined''x") + b"x\r\n--b--\r\n"),
        ("multipart/mixed; boundary=b", IMAGE + b"x\r\n--b--\r\n"),
        ("application/x-www-form-urlencoded", b"image=%ff%d8%ff&" * 1000),
        ("application/json", json.dumps({"image": "/9j/4AAQ"}).encode()),
        ("\xff\xfe/\xfd", b"\xff\xd8\xff"),
    ],
)
@pytest.mark.parametrize("path", ["/segment", "/segment/batch"])
def test_malformed_multipart_is_a_client_error(client, path, content_type, body):
    reply = client.post(path, content=body, headers={"Content-Type": content_type.encode("latin-1")})
    if path == "/segment/batch" and reply.status_code == 200:  # an entry has the image's error
        assert b"x.error.json" in reply.content or b"image.error.json" in reply.content
    else:
        assert 400 <= reply.status_code < 500
