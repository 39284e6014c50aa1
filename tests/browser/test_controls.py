"""The controls of a segmented photo; none of them sends a request."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

OKABE_ITO_SKY_BLUE = "#56b4e9"


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red, green, blue and dark quarters, at a size that is no multiple of the model's."""
    quarters = np.array([[(210, 30, 30), (30, 200, 30)], [(30, 30, 210), (30, 30, 30)]], np.uint8)
    path = tmp_path_factory.mktemp("photo") / "blocks.jpg"
    Image.fromarray(np.kron(quarters, np.ones((150, 211, 1), np.uint8))).save(path, quality=95)
    return path


@pytest.fixture
def opened(visit, colour_road, blocks: Path):
    """A window with the overlay of ``blocks``; the test may send no further request."""
    window = visit(colour_road.url).open()
    window.expect(window.page.get_by_label("Version")).to_be_visible()
    window.choose(blocks)
    window.expect_overlay()
    before = list(window.requests)
    yield window
    requests = [url for url in window.requests[len(before) :] if not url.endswith("/readyz") and "blob:" not in url]
    assert requests == []


def quarter(shown: np.ndarray, row: int, column: int) -> np.ndarray:
    height, width = shown.shape[:2]
    return shown[int((0.25 + row / 2) * height), int((0.25 + column / 2) * width)]


def test_hidden_class_shows_the_photo(opened, seen) -> None:
    frame = opened.page.locator("#result .frame")
    opened.page.get_by_label("Opacity").fill("100")
    painted = seen(frame)
    opened.page.get_by_role("checkbox", name="red").uncheck()
    without = seen(frame)
    assert quarter(painted, 0, 0) == pytest.approx((128, 0, 0), abs=2)
    assert quarter(without, 0, 0) == pytest.approx((210, 30, 30), abs=4)
    assert quarter(without, 0, 1) == pytest.approx(quarter(painted, 0, 1))
    opened.page.get_by_role("checkbox", name="background").check()
    assert quarter(seen(frame), 1, 1) == pytest.approx((0, 0, 0), abs=2)


def test_colours_are_the_models_or_distinct_for_colour_blind_users_or_custom(opened, seen) -> None:
    frame, red = opened.page.locator("#result .frame"), opened.page.get_by_label("Colour of red")
    opened.page.get_by_label("Opacity").fill("100")
    opened.page.locator("#scheme").select_option("safe")
    opened.expect(red).to_have_value(OKABE_ITO_SKY_BLUE)
    assert quarter(seen(frame), 0, 0) == pytest.approx((0x56, 0xB4, 0xE9), abs=2)
    opened.shoot("colour-blind-safe")
    red.fill("#ff00ff")
    assert quarter(seen(frame), 0, 0) == pytest.approx((255, 0, 255), abs=2)


def test_the_choice_of_colours_is_remembered(visit, colour_road) -> None:
    window = visit(colour_road.url).open()
    scheme = window.page.locator("#scheme")
    window.expect(scheme).to_have_value("model")
    window.page.evaluate("document.getElementById('panel').hidden = false")
    scheme.select_option("safe")
    window.page.reload()
    window.expect(scheme).to_have_value("safe")


def test_the_divider_shows_the_photo_on_its_left_and_the_classes_on_its_right(opened, seen) -> None:
    frame = opened.page.locator("#result .frame")
    opened.page.get_by_label("Opacity").fill("100")
    painted = seen(frame)
    opened.page.get_by_text("Slider").click()
    divider = opened.page.get_by_role("slider", name="Before and after")
    divided = seen(frame)
    assert quarter(divided, 0, 0) == pytest.approx((210, 30, 30), abs=4)
    assert quarter(divided, 0, 1) == pytest.approx(quarter(painted, 0, 1))
    opened.shoot("slider")
    box = frame.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 40)
    opened.page.mouse.up()
    opened.expect(divider).to_have_value("10")
    assert quarter(seen(frame), 0, 0) == pytest.approx(quarter(painted, 0, 0), abs=2)
    divider.press("End")
    assert quarter(seen(frame), 0, 1) == pytest.approx((30, 200, 30), abs=4)


def test_class_under_the_pointer_is_named_with_its_area(opened) -> None:
    frame, probe = opened.page.locator("#result .frame"), opened.page.locator("#probe")
    box = frame.bounding_box()
    for row, column, text in [(0, 0, "red · 25.0 %"), (0, 1, "green · 25.0 %"), (1, 1, "background · 25.0 %")]:
        at = ((0.25 + column / 2) * box["width"], (0.25 + row / 2) * box["height"])
        opened.page.mouse.move(box["x"] + at[0], box["y"] + at[1])
        opened.expect(probe).to_have_text(text)
    opened.page.mouse.move(1, 1)
    opened.expect(probe).to_be_hidden()


def test_arrow_keys_move_the_pointer(opened) -> None:
    canvas, probe = opened.page.locator("#picture"), opened.page.locator("#probe")
    canvas.focus()
    for _ in range(5):
        canvas.press("ArrowLeft")
    for _ in range(5):
        canvas.press("ArrowUp")
    opened.expect(probe).to_have_text("red · 25.0 %")
    canvas.press("Escape")
    opened.expect(probe).to_be_hidden()


def test_image_has_a_description_for_screen_readers(opened) -> None:
    label = opened.page.locator("#picture").get_attribute("aria-label")
    assert label == "The image with background 25 %, red 25 %, green 25 %, blue 25 %"


def saved(window, button: str) -> tuple[str, bytes]:
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name=button, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_saved_mask_and_json_equal_the_gateways_replies(opened, colour_road, blocks) -> None:
    name, png = saved(opened, "Mask")
    assert name == "blocks-mask.png"
    expected = Image.open(BytesIO(colour_road.segment(blocks.read_bytes()).content))
    mask = Image.open(BytesIO(png))
    assert mask.mode == "P"
    assert np.array_equal(np.asarray(mask), np.asarray(expected))
    assert mask.getpalette() == expected.getpalette()
    assert mask.info["transparency"] == expected.info["transparency"]
    key = "segstack-classes"
    assert json.loads(mask.text[key]) == json.loads(expected.text[key])

    name, text = saved(opened, "JSON")
    assert name == "blocks.json"
    assert json.loads(text) == colour_road.segment(blocks.read_bytes(), output="json").json()


def test_saved_overlay_is_what_is_shown_at_the_photos_size(opened, seen) -> None:
    opened.page.get_by_role("checkbox", name="green").uncheck()
    shown = seen(opened.page.locator("#result .frame"))
    name, png = saved(opened, "Overlay")
    assert name == "blocks-overlay.png"
    with Image.open(BytesIO(png)) as image:
        overlay = np.asarray(image.convert("RGB"), float)
    assert overlay.shape == (300, 422, 3)
    for row, column in np.ndindex(2, 2):
        assert quarter(overlay, row, column) == pytest.approx(quarter(shown, row, column), abs=3)


def test_image_is_drawn_again_after_a_lost_webgl_context(opened, seen) -> None:
    frame = opened.page.locator("#result .frame")
    before = seen(frame)
    lost = "document.getElementById('picture').getContext('webgl2').getExtension('WEBGL_lose_context')"
    opened.page.evaluate(
        f"""async () => {{
            const canvas = document.getElementById("picture");
            const card = {lost};
            const event = (name) => new Promise((done) => canvas.addEventListener(name, done, {{ once: true }}));
            const gone = event("webglcontextlost");
            card.loseContext();
            await gone;
            await new Promise((done) => setTimeout(done));
            const back = event("webglcontextrestored");
            card.restoreContext();
            await back;
        }}"""
    )
    assert np.abs(seen(frame) - before).mean() < 1


def test_another_model_and_version_can_be_chosen(visit, colour_road, blocks) -> None:
    window = visit(colour_road.url).open()
    version = window.page.get_by_label("Version")
    window.expect(version.locator("option")).to_have_text(["newest", "1"])
    window.expect(window.page.locator("#model option")).to_have_text(["colours (default)"])
    window.choose(blocks)
    window.expect_overlay()
    with window.page.expect_request(lambda request: "version=1" in request.url):
        version.select_option("1")
    window.expect_overlay()


def test_menu_names_the_label_in_use(visit, lay_road, colour_road, blocks: Path, tmp_path: Path) -> None:
    models_root = shutil.copytree(colour_road.models_root, tmp_path / "models_repo")
    shutil.copytree(models_root / "colours/1", models_root / "colours/2")
    labelled = 'model_version_policy { all {} } version_labels { key: "stable" value: 1 } } }'
    config = models_root / "models.config"
    config.write_text(config.read_text().replace("} }", labelled))
    cards = colour_road.models_root.parent / "cards"
    road = lay_road(models_root, GATEWAY_CARDS=str(cards), GATEWAY_DEFAULT_LABEL="stable")
    road.start_serving()
    road.start_gateway()
    road.wait_until_ready()

    window = visit(road.url).open()
    version = window.page.get_by_label("Version")
    window.expect(version.locator("option")).to_have_text(["stable", "2", "1 · stable"])
    window.expect(window.page.locator("#status")).to_have_text("colours v1")
    window.choose(blocks)
    window.expect_overlay()
    window.expect(window.page.locator("#caption")).to_have_text("colours v1")
