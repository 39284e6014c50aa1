"""Files that try to break the decoders: never a 5xx, never a hang, never a memory leak."""

import io

import pytest
from PIL import Image

from segstack_testing import hostile_images
from segstack_testing.gateways import metric

# All files take minutes on a slow machine; make test sends every n-th.
EVERY = 20
CHEAP = ["truncated", "flipped", "headers", "types", "polyglots"]
# Two decoded images of the largest accepted size, and what the allocator keeps.
MAY_STAY_BYTES = 400 * 2**20


@pytest.fixture(scope="module")
def write_files(tmp_path_factory):
    """``write_files(kind, …)``: the files of these kinds, or of all, in a stable order."""

    def make(*kinds):
        folder = tmp_path_factory.mktemp("hostile")
        hostile_images.main(folder, *kinds)
        return sorted(file for file in folder.rglob("*") if file.is_file())

    return make


def check(file, reply):
    """A mask for what can be decoded, and a documented error for what cannot."""
    name = f"{file.parent.name}/{file.name}"
    if reply.status_code == 200:
        assert Image.open(io.BytesIO(reply.content)).mode == "P", name
    else:
        assert reply.status_code in (400, 413, 415), (name, reply.status_code)
        assert set(reply.json()["error"]) == {"code", "message", "detail"}, name


def test_sample_of_hostile_images_is_answered_or_refused(client, write_files):
    for file in write_files(*CHEAP)[::EVERY]:
        check(file, client.post("/segment", content=file.read_bytes()))


@pytest.mark.gateway
@pytest.mark.timeout(600)
def test_all_hostile_images_twice_do_not_grow_memory(run_gateway, write_files):
    files = write_files()
    # On a slow machine a decompression bomb may take longer than the deadline: a correct 504 would hide the rest.
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
