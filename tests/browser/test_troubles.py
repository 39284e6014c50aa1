"""What the page shows when something fails, and that it recovers by itself."""

import shutil
from pathlib import Path

import pytest

from segstack_testing.waiting import scaled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture
def half_a_photo(photo: Path, tmp_path: Path) -> Path:
    whole = photo.read_bytes()
    half = tmp_path / "half.jpg"
    half.write_bytes(whole[: len(whole) // 2])
    return half


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A text file with an image's name."""
    path = tmp_path / "photo.jpg"
    path.write_text("this is no image")
    return path


def check_refusal(window, road, damaged: Path, title: str) -> None:
    window.choose(damaged)
    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text(title)
    message = road.segment(damaged.read_bytes()).json()["error"]["message"]
    window.expect(notice.locator("p")).to_have_text(f"{message[0].upper()}{message[1:]}.")
    window.expect(window.page.get_by_text("Drop a photo or a video here")).to_be_visible()
    window.expect(window.page.get_by_role("status")).to_have_text("small v1")


def test_truncated_image_shows_the_gateways_message(visit, road, half_a_photo, photo) -> None:
    window = visit(road.url).open()
    check_refusal(window, road, half_a_photo, "The image is damaged")
    window.shoot("damaged-image")
    window.choose(photo)
    window.expect_overlay()
    window.expect(window.page.get_by_role("alert")).to_be_hidden()


def test_file_that_is_no_image_is_refused_with_a_sentence(visit, road, text) -> None:
    window = visit(road.url).open()
    check_refusal(window, road, text, "Unsupported image format")


def test_error_message_fits_a_phone(visit, road, half_a_photo) -> None:
    phone = visit(road.url, width=390, device_scale_factor=2, has_touch=True, is_mobile=True).open()
    check_refusal(phone, road, half_a_photo, "The image is damaged")
    assert phone.overflow() <= 0
    phone.shoot("phone-damaged-image")


def test_page_without_a_model_explains_how_to_make_one_and_finds_it(
    visit, lay_road, small_models_root: Path, tmp_path: Path, photo
) -> None:
    road = lay_road(tmp_path / "models_repo")
    road.start_gateway()
    window = visit(road.url).open()
    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text("No model yet")
    window.expect(notice.locator("code")).to_have_text("make demo")
    window.expect(window.page.get_by_role("status")).to_have_text("No model yet")
    window.shoot("no-model")

    shutil.copytree(small_models_root, road.models_root)
    road.start_serving()

    window.expect(window.page.get_by_role("status")).to_have_text("small v1", timeout=scaled(60_000))
    window.expect(notice).to_be_hidden()
    window.choose(photo)
    window.expect_overlay()


def test_recovers_after_a_restart_of_serving(visit, road, photo) -> None:
    window = visit(road.url).open()
    status = window.page.get_by_role("status")
    window.expect(status).to_have_text("small v1")
    road.serving.terminate()
    road.serving.wait(scaled(20))

    window.choose(photo)

    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text("The model server is unreachable")
    window.expect(notice.locator("code")).to_have_text(["make serve", "make demo"])
    window.expect(status).to_have_text("The model server is unreachable", timeout=5_000)  # at once
    window.shoot("serving-away")

    road.start_serving()
    window.expect(status).to_have_text("small v1", timeout=scaled(60_000))
    window.expect(notice).to_be_hidden()
    window.choose(photo)
    window.expect_overlay()


def test_page_recovers_after_a_restart_of_the_gateway(visit, road, photo) -> None:
    window = visit(road.url).open()
    status = window.page.get_by_role("status")
    window.expect(status).to_have_text("small v1")
    road.gateway.terminate()
    road.gateway.wait(scaled(20))

    window.choose(photo)

    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text("The gateway is unreachable")
    window.expect(notice.locator("code")).to_have_text(["make gateway", "make demo"])
    window.shoot("gateway-away")

    road.start_gateway()
    window.expect(status).to_have_text("small v1")
    window.expect(notice).to_be_hidden()
    window.choose(photo)
    window.expect_overlay()
