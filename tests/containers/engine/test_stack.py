"""The stack on a real engine, from an empty models_repo to masks."""

import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from contract.checksums import damage
from trainer.datasets.dataset import Dataset, load_dataset
from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.overlap import mean_iou

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

# A minute's training; the demo's few minutes must reach 0.85.
LOWEST_MIOU = 0.5

every_service = pytest.mark.parametrize("service", ["serving", "gateway"])


@pytest.fixture(scope="module")
def drawn(stack) -> Dataset:
    return load_dataset(stack.checkout / "data/drawn")


@pytest.fixture(scope="module")
def held_out(drawn: Dataset) -> list[tuple[bytes, np.ndarray]]:
    """Held-out images with their labels."""
    return [
        ((drawn.root / item.image).read_bytes(), cv2.imread(str(drawn.root / item.mask), cv2.IMREAD_UNCHANGED))
        for item in drawn.split("test")
    ]


def mask_of(reply) -> np.ndarray:
    assert reply.status_code == 200, reply.text
    return np.asarray(Image.open(io.BytesIO(reply.content)))


def test_stack_without_a_model_is_up_and_explains_how_to_make_one(empty_stack) -> None:
    _, replies = empty_stack
    assert replies["/livez"].status_code == 200
    assert "<html" in replies["/"].text
    assert replies["/readyz"].status_code == 503
    error = replies["/readyz"].json()["error"]
    assert error["code"] == "no_model"
    assert "no model yet" in error["message"]
    assert "make demo" in error["message"]


def test_make_train_published_a_complete_version_owned_by_the_checkouts_owner(stack) -> None:
    repository = stack.checkout / "models_repo"
    assert damage(repository / "drawn/1") is None
    owner = stack.checkout.stat().st_uid
    written = [*repository.rglob("*"), *(stack.checkout / "runs").rglob("*"), *(stack.checkout / "data").rglob("*")]
    assert {path.lstat().st_uid for path in written} == {owner}


@every_service
def test_first_model_was_loaded_without_a_restart(stack, service: str) -> None:
    container = stack.at_first_model[service]
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["RestartCount"] == 0
    published = (stack.checkout / "models_repo/drawn/1").stat().st_mtime
    started = np.datetime64(container["State"]["StartedAt"].rstrip("Z"), "us").astype(float) / 1e6
    assert started < published


def test_masks_are_right(stack, drawn: Dataset, held_out) -> None:
    confusion = ConfusionMatrix(len(drawn.classes))
    for image, labels in held_out:
        confusion.add(labels, mask_of(stack.segment(image)))
    print(f"mIoU {mean_iou(confusion):.3f} on {len(held_out)} held-out images")
    assert mean_iou(confusion) > LOWEST_MIOU


def test_masks_are_those_of_the_same_server_outside_a_container(stack, held_out, lay_road, tmp_path: Path) -> None:
    models_root = tmp_path / "models_repo"
    shutil.copytree(stack.checkout / "models_repo", models_root)
    road = lay_road(models_root)
    road.start_serving("--engine=openvino", "--precision=auto")
    road.start_gateway()
    road.wait_until_ready()
    for image, _ in held_out[:5]:
        np.testing.assert_array_equal(mask_of(stack.segment(image)), mask_of(road.segment(image)))


@pytest.mark.parametrize("output", ["mask", "color", "overlay"])
@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_every_image_form(stack, held_out, output: str, format: str) -> None:
    image, labels = held_out[0]
    reply = stack.segment(image, output=output, format=format)
    if output == "mask" and format != "png":  # neither has a palette of classes
        assert reply.status_code == 422
        return
    assert reply.status_code == 200, reply.text
    with Image.open(io.BytesIO(reply.content)) as image:
        assert image.format.lower() == format
        assert image.size == labels.shape[::-1]


@pytest.mark.parametrize("rle", ["coco", "cvat", "labelstudio"])
def test_every_region_format(stack, held_out, rle: str) -> None:
    reply = stack.segment(held_out[0][0], output="json", rle=rle, polygons="1")
    assert reply.status_code == 200, reply.text
    assert any(found["pixels"] for found in reply.json()["classes"])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_every_input_format(stack, held_out, suffix: str) -> None:
    pixels = cv2.imdecode(np.frombuffer(held_out[0][0], np.uint8), cv2.IMREAD_COLOR)
    assert mask_of(stack.segment(cv2.imencode(suffix, pixels)[1].tobytes())).shape == pixels.shape[:2]


def test_models_are_managed_in_the_trainers_container(stack) -> None:
    assert "drawn" in stack.compose("run", "--rm", "trainer", "models", "list")


@every_service
def test_containers_have_few_privileges(stack, service: str) -> None:
    host = stack.inspect(service)["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0


@every_service
def test_privileges_as_seen_inside_the_containers(stack, service: str) -> None:
    owner = stack.checkout.stat()
    assert stack.inside(service, "id -u; id -g").split() == [str(owner.st_uid), str(owner.st_gid)]
    status = dict(
        line.split(":\t") for line in stack.inside(service, "cat /proc/self/status").splitlines() if ":\t" in line
    )
    for capabilities in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert status["NoNewPrivs"] == "1"
    for folder in ("/", "/app", "/models", "/opt", "/etc"):
        assert "Read-only file system" in stack.inside(service, f"touch {folder}/x 2>&1 || true"), folder
    assert stack.inside(service, "touch /tmp/x && echo written") == "written"


def test_ports_are_published_on_loopback_alone(stack) -> None:
    for service in ("serving", "gateway"):
        bindings = stack.inspect(service)["NetworkSettings"]["Ports"].values()
        assert {binding["HostIp"] for bound in bindings for binding in bound or []} == {"127.0.0.1"}


def test_down_leaves_nothing(new_stack) -> None:
    stack = new_stack()
    stack.up()
    mine = ["--filter", f"label=com.docker.compose.project={stack.project}"]

    def left() -> list[str]:
        listed = (["ps", "--all"], ["network", "ls"], ["volume", "ls"])
        return [line for what in listed for line in stack.run("docker", *what, *mine, "--quiet").split()]

    assert len(left()) >= 3, "two containers and a network"
    stack.compose("down", "--volumes")
    assert left() == []
