"""The page with a model, used by mouse, by keyboard and on a phone."""

import base64
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

ORIENTATION_TAG, TURN_RIGHT = 0x0112, 6
STAGES = ["Decode", "Queue", "Model", "Encode", "Network and page"]


def drop(visit, photo: Path) -> None:
    """Drop a file as the operating system does: Chromium reads it, and drops only where the page allows it."""
    box = visit.page.locator(".drop").bounding_box()
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(photo)], "dragOperationsMask": 1}
    session = visit.context.new_cdp_session(visit.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def paste(visit, photo: Path) -> None:
    """Paste through the real clipboard, which holds images as PNG."""
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    png = BytesIO()
    Image.open(photo).save(png, "PNG")
    visit.page.evaluate(
        """async (encoded) => {
            const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
            const picture = new Blob([bytes], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
        }""",
        base64.b64encode(png.getvalue()).decode(),
    )
    visit.page.keyboard.press("Control+V")


def choose(visit, photo: Path) -> None:
    visit.choose(photo)


@pytest.fixture
def opened(visit, road, photo: Path):
    """A window with the overlay of ``photo`` in it."""
    window = visit(road.url).open()
    window.choose(photo)
    window.expect_overlay()
    return window


@pytest.fixture
def turned_photo(photo: Path, tmp_path: Path) -> Path:
    """The same image stored sideways, with an EXIF orientation."""
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = TURN_RIGHT
    with Image.open(photo) as image:
        image.save(path, quality=95, exif=exif)
    return path


def check_overlay(window, seen, answer: bytes) -> None:
    """The screen shows the photo under the colours of the gateway's mask PNG ``answer``.

    Compared only in the middle of mask pixels with neighbours of the same class: elsewhere the browser interpolates.
    """
    with Image.open(BytesIO(answer)) as mask:
        ids = np.asarray(mask)
        palette = np.array(mask.getpalette()).reshape(-1, 3)
    frame = window.page.locator("#result .frame")
    opacity = window.page.get_by_label("Opacity")
    opacity.fill("0")
    bare = seen(frame)
    rows, columns = (
        ((np.arange(1, mask_size - 1) + 0.5) * size / mask_size).astype(int)
        for size, mask_size in zip(bare.shape[:2], ids.shape, strict=True)
    )
    around = np.lib.stride_tricks.sliding_window_view(ids, (3, 3))
    inside = (around == around[..., 1:2, 1:2]).all((2, 3))
    classes = ids[1:-1, 1:-1]
    painted = inside & (classes != 0)
    assert painted.sum() > 50, "a mask of the background alone would prove little"
    photo = bare[np.ix_(rows, columns)]
    assert photo.std() > 10, "the photo is not there"
    assert np.abs(palette[classes] - photo)[painted].mean() > 10, "the overlay does not go away"

    for percent in (60, 100):
        opacity.fill(str(percent))
        shown = seen(frame)[np.ix_(rows, columns)]
        mixed = photo + percent / 100 * (palette[classes] - photo)
        assert np.abs(shown - mixed)[painted].max() <= 3
        assert np.abs(shown - photo)[inside & (classes == 0)].max(initial=0) <= 1


@pytest.mark.parametrize("give", [choose, drop, paste])
def test_a_photo_can_be_chosen_dropped_or_pasted_and_its_overlay_appears(visit, road, photo, seen, give) -> None:
    window = visit(road.url).open()
    give(window, photo)
    window.expect_overlay()
    window.expect(window.page.get_by_text("small v1")).to_have_count(2)  # in the header, and under the image
    check_overlay(window, seen, road.segment(photo.read_bytes(), size="model").content)
    assert window.segmentations() == 1


def test_overlay_follows_the_exif_orientation(visit, road, turned_photo, seen) -> None:
    window = visit(road.url).open()
    window.choose(turned_photo)
    window.expect_overlay()
    box = window.page.locator("#result .frame").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(96 / 128, rel=0.01)
    check_overlay(window, seen, road.segment(turned_photo.read_bytes(), size="model").content)


def test_classes_are_listed_with_colours_and_areas(opened, road, photo) -> None:
    answer = road.segment(photo.read_bytes(), size="model", output="json").json()["classes"]
    assert len(answer) > 1, "one class alone would prove little"
    listed = [
        (item.locator("label").inner_text(), item.locator(".percentage").inner_text(), item.locator(".swatch"))
        for item in opened.page.locator("#classes li").all()
    ]

    by_share = sorted(answer, key=lambda c: -c["area"])
    assert [name for name, _, _ in listed] == [c["name"] for c in by_share]
    for (_, share, _), c in zip(listed, by_share, strict=True):
        assert re.fullmatch(r"\d+\.\d %", share)
        # Halves: JavaScript rounds 31.25 to 31.3, Python to 31.2.
        assert float(share.removesuffix(" %")) == pytest.approx(100 * c["area"], abs=0.0501)
    for (_, _, swatch), c in zip(listed, by_share, strict=True):
        opened.expect(swatch).to_have_value("#{:02x}{:02x}{:02x}".format(*c["color"]))
    rounding = 0.05 * len(listed)
    assert sum(float(share.removesuffix(" %")) for _, share, _ in listed) == pytest.approx(100, abs=rounding)


def test_opacity_changes_without_a_request(opened, seen) -> None:
    frame = opened.page.locator("#result .frame")
    opacity = opened.page.get_by_label("Opacity")
    shown = []
    for percent in (0, 50, 100):
        opacity.fill(str(percent))
        opened.expect(opened.page.locator("#opacity-value")).to_have_text(f"{percent} %")
        shown.append(seen(frame))
    bare, half, full = shown
    assert 0 < np.abs(half - bare).mean() < np.abs(full - bare).mean()
    assert opened.segmentations() == 1


def test_the_time_of_every_stage_is_shown(opened) -> None:
    total = opened.page.locator("#total").inner_text()
    elapsed = float(re.match(r"(\d+) ms from upload to display", total)[1])
    stages = opened.page.locator("#timing dt").all_inner_texts()
    milliseconds = [float(text.removesuffix(" ms")) for text in opened.page.locator("#timing dd").all_inner_texts()]
    assert stages == STAGES
    assert milliseconds[STAGES.index("Model")] > 0
    assert sum(milliseconds) == pytest.approx(elapsed, abs=1)


def test_photo_can_be_compared_with_its_overlay(opened) -> None:
    original = opened.page.locator("#original")
    opened.expect(original).to_be_hidden()
    opened.page.get_by_text("Side by side").click()
    opened.expect(original).to_be_visible()
    opened.shoot("side-by-side")
    opened.page.get_by_role("radiogroup", name="View").get_by_text("Overlay").click()
    opened.expect(original).to_be_hidden()


def test_second_photo_replaces_the_first(opened, photo) -> None:
    drop_area = opened.page.get_by_text("Drop a photo or a video here")
    opened.page.get_by_role("button", name="Another photo").click()
    opened.expect(drop_area).to_be_visible()
    opened.choose(photo)  # the same file: a browser keeps quiet about it unless the page forgot it
    opened.expect_overlay()
    assert opened.segmentations() == 2


def test_the_keyboard_reaches_every_control(visit, road, photo) -> None:
    window = visit(road.url).open()
    page = window.page
    choosers = []
    # From the start: Chromium drops a file dialog that opens before somebody listens.
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    window.expect(page.get_by_role("status")).to_have_text("small v1")

    def tab_to(control: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.locator(f"{control}:focus").count():
                return
        raise AssertionError(f"Tab does not reach {control}")

    tab_to('a[href="/docs"]')
    tab_to("#file")
    window.shoot("keyboard")
    window.expect(page.locator("#file")).to_be_focused()
    page.keyboard.press("Space")
    if not choosers:
        page.wait_for_event("filechooser")
    choosers[0].set_files(photo)
    window.expect_overlay()

    tab_to("#opacity")
    page.keyboard.press("End")
    window.expect(page.locator("#opacity-value")).to_have_text("100 %")
    tab_to('[name="view"]')
    page.keyboard.press("ArrowRight")
    window.expect(page.locator("#original")).to_be_visible()
    tab_to("#another")
    page.keyboard.press("Enter")
    window.expect(page.locator("#file")).to_be_focused()


def test_controls_have_accessible_names(opened) -> None:
    for role, name in [("slider", "Opacity"), ("radio", "Side by side"), ("button", "Another photo"), ("link", "API")]:
        opened.expect(opened.page.get_by_role(role, name=name)).to_have_count(1)


def test_page_fits_a_phone(visit, road, photo) -> None:
    phone = visit(road.url, width=390, device_scale_factor=2, has_touch=True, is_mobile=True).open()
    assert phone.overflow() <= 0
    phone.shoot("phone-empty")
    phone.choose(photo)
    phone.expect_overlay()
    assert phone.overflow() <= 0
    phone.shoot("phone")
    phone.page.get_by_text("Side by side").click()
    assert phone.overflow() <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_follows_the_systems_colour_scheme(visit, road, photo, scheme: str) -> None:
    window = visit(road.url, color_scheme=scheme).open()
    window.expect(window.page.get_by_role("status")).to_have_text("small v1")
    window.shoot(f"{scheme}-empty")
    window.choose(photo)
    window.expect_overlay()
    window.shoot(scheme)
    ground, ink = (
        np.mean([int(number) for number in re.findall(r"\d+", colour)[:3]])
        for colour in window.page.evaluate(
            "(({ backgroundColor, color }) => [backgroundColor, color])(getComputedStyle(document.documentElement))"
        )
    )
    assert (ground < ink) == (scheme == "dark")
