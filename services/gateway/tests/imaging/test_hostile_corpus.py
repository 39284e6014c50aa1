"""Files and bodies that want to break the gateway: never a 5xx, never a hang, never memory that stays."""

import io
import json

import pytest
from PIL import Image

from segstack_testing import hostile_images
from segstack_testing.gateways import metric

# The whole of it takes minutes on a slow machine; make test sends one file in so many.
EVERY = 20
CHEAP = ["truncated", "flipped", "headers", "types", "polyglots"]
# Two decoded images of the largest size there may be, and an allocator's habits.
MAY_STAY_BYTES = 400 * 2**20


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """``corpus(kind, …)``: the files of these kinds, or of all, in a stable order."""

    def make(*kinds):
        folder = tmp_path_factory.mktemp("corpus")
        hostile_images.main(folder, *kinds)
        return sorted(file for file in folder.rglob("*") if file.is_file())

    return make


def check(file, reply):
    """A mask for what could be decoded, and a reason in the one shape for what could not."""
    name = f"{file.parent.name}/{file.name}"
    if reply.status_code == 200:
        assert Image.open(io.BytesIO(reply.content)).mode == "P", name
    else:
        assert reply.status_code in (400, 413, 415), (name, reply.status_code)
        assert set(reply.json()["error"]) == {"code", "message", "detail"}, name


def test_sample_of_hostile_images_is_answered_or_refused(client, corpus):
    for file in corpus(*CHEAP)[::EVERY]:
        check(file, client.post("/segment", content=file.read_bytes()))


@pytest.mark.gateway
@pytest.mark.timeout(600)
def test_all_hostile_images_twice_do_not_grow_memory(run_gateway, corpus):
    files = corpus()
    # A bomb may take longer on a slow machine than a caller's patience: then 504 would be right, and hide the rest.
    with run_gateway(deadline_ms=120_000) as running:
        client = running.client
        client.timeout = 150
        resident = []
        for _ in range(2):
            for file in files:
                check(file, client.post("/segment", content=file.read_bytes()))
                if file.parent.name == "modes":
                    check_outputs(client, file)
            resident.append(metric(client, "process_resident_memory_bytes"))
        assert resident[0] < MAY_STAY_BYTES
        assert resident[1] < resident[0] + 50 * 2**20
        assert metric(client, "segstack_gateway_in_flight") == 0
        assert client.get("/readyz").status_code == 200


def check_outputs(client, file):
    for query in ("output=color", "output=overlay&format=webp", "output=overlay", "output=json&polygons=0&rle=coco"):
        reply = client.post(f"/segment?{query}", content=file.read_bytes())
        assert reply.status_code in (200, 422), (file.name, query)  # 422: longer than the format can hold


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
def test_bodies_that_are_no_multipart(client, path, content_type, body):
    reply = client.post(path, content=body, headers={"Content-Type": content_type.encode("latin-1")})
    if path == "/segment/batch" and reply.status_code == 200:  # an entry says what is wrong with the image
        assert b"x.error.json" in reply.content or b"image.error.json" in reply.content
    else:
        assert 400 <= reply.status_code < 500
