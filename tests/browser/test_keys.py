"""The page of a gateway that requires API keys."""

from pathlib import Path

import pytest

from segstack_testing.gateways import make_api_keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.mark.parametrize("width", [1280, 390])
def test_key_is_typed_once_and_the_photo_is_kept(
    visit, lay_road, small_models_root: Path, photo: Path, tmp_path: Path, width: int
) -> None:
    (key,) = make_api_keys(tmp_path / "api-keys", "labelling")
    road = lay_road(small_models_root)
    road.start_serving()
    road.start_gateway(GATEWAY_API_KEYS_FILE=str(tmp_path / "api-keys"))
    road.wait_until_ready()
    window = visit(road.url, width=width).open()
    notice, field = window.page.get_by_role("alert"), window.page.get_by_label("API key")
    window.expect(window.page.get_by_role("status")).to_have_text("small v1")
    window.expect(field).to_be_hidden()

    window.choose(photo)
    window.expect(notice.get_by_role("heading")).to_have_text("An API key is required")
    window.expect(field).to_be_focused()
    assert window.overflow() <= 0
    window.shoot(f"key-{width}")
    field.fill("segstack_wrong")
    field.press("Enter")
    window.expect(notice.get_by_role("heading")).to_have_text("This API key is not valid")
    field.fill(key)
    field.press("Enter")
    window.expect_overlay()
    window.expect(notice).to_be_hidden()

    window.page.get_by_role("button", name="Another photo").click()
    window.choose(photo)
    window.expect_overlay()
