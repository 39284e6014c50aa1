"""The camera and videos: each mask is drawn over its own frame, and the stream reconnects by itself.

Chromium's fake camera plays a film whose frames show their number in red and blue blocks. The model segments red and
blue, so the mask repeats the number; class colours are chosen so that one screenshot shows both.
"""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segstack_testing.gateways import make_api_keys
from segstack_testing.waiting import scaled, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

ROWS, COLUMNS = 2, 4
FRAMES = 2 ** (ROWS * COLUMNS)
BLOCK = 80
RED, BLUE = (210, 20, 20), (20, 20, 210)
# A gateway far away: several frames are under way when a mask comes.
FAR_AWAY = """
    window.WebSocket = class extends WebSocket {
        addEventListener(kind, listener) {
            super.addEventListener(kind, kind === "message" ? (event) => setTimeout(listener, 300, event) : listener);
        }
    };"""
REFUSED = (
    "Allow it for this page with the icon next to the address or in the browser's settings, "
    "then press “Use the camera” again."
)


def frame_of(number: int) -> np.ndarray:
    """A frame, uint8 RGB [H, W, 3]: one block for each bit of the number, red for 1."""
    bits = [RED if number >> bit & 1 else BLUE for bit in range(ROWS * COLUMNS)]
    return np.kron(np.array(bits, np.uint8).reshape(ROWS, COLUMNS, 3), np.ones((BLOCK, BLOCK, 1), np.uint8))


def numbers_in(shown: np.ndarray) -> tuple[int, int]:
    """The numbers in the frame and in its mask, with class red painted green and class blue black."""
    height, width = shown.shape[:2]
    rows = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    red, green, blue = shown[np.ix_(rows, columns)].reshape(-1, 3).T
    bits = 1 << np.arange(ROWS * COLUMNS)
    return int(bits[red > blue].sum()), int(bits[green > 70].sum())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mjpeg"
    with path.open("wb") as file:
        for number in range(FRAMES):
            Image.fromarray(frame_of(number)).save(file, "JPEG", quality=90)
    return path


@pytest.fixture(scope="module")
def with_camera(launch_chromium, film: Path) -> Callable:
    """``with_camera(*options)``: a Chromium whose camera shows the film."""
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}")
    return lambda *options: launch_chromium(*camera, *options)


@pytest.fixture(scope="module")
def camera_browser(with_camera):
    return with_camera()


@pytest.fixture
def live(visit, colour_road, camera_browser) -> Callable:
    """``live(browser, script, **options)``: a window with the camera on; ``script`` runs before the page's own."""

    def open_camera(browser=camera_browser, script: str = "", **options):
        window = visit(colour_road.url, browser=browser, permissions=["camera"], **options)
        window.context.add_init_script(script)
        window.open()
        window.page.get_by_role("button", name="Use the camera").click()
        window.expect_overlay()
        return window

    return open_camera


def paint_numbers(window) -> None:
    """Wait for both classes, then set the colours and the opacity that numbers_in() expects."""
    window.page.get_by_label("Colour of red").fill("#00ff00")
    window.page.get_by_label("Colour of blue").fill("#000000")
    window.page.get_by_label("Opacity").fill("50")


@pytest.mark.parametrize("options", [(), ("--disable-3d-apis",)], ids=["webgl2", "canvas"])
def test_each_mask_lies_over_its_own_frame(live, with_camera, seen, options) -> None:
    window = live(with_camera(*options), script=FAR_AWAY)
    has_webgl = window.page.evaluate("document.createElement('canvas').getContext('webgl2') !== null")
    assert has_webgl == (not options)
    window.page.get_by_label("Mirror").uncheck()
    paint_numbers(window)
    frame = window.page.locator("#result .frame")
    pairs = []

    def were_many_seen() -> bool:
        pairs.append(numbers_in(seen(frame)))
        return len(pairs) >= 15 and len(set(pairs)) > 5

    wait_until(were_many_seen, what="a moving image")
    assert [frame for frame, _ in pairs] == [mask for _, mask in pairs]


def test_paused_frame_can_be_mirrored_and_has_its_mask(live, seen) -> None:
    window = live()
    paint_numbers(window)
    window.page.get_by_role("button", name="Pause").click()
    window.expect(window.page.get_by_role("button", name="Play")).to_be_visible()
    frame = window.page.locator("#result .frame")
    mirrored = settled(lambda: seen(frame))
    window.page.get_by_label("Mirror").uncheck()
    plain = seen(frame)
    assert numbers_in(plain)[0] == numbers_in(plain)[1] == numbers_in(mirrored[:, ::-1])[0]
    assert np.abs(plain - mirrored[:, ::-1]).mean() < 3


def settled(look: Callable[[], np.ndarray]) -> np.ndarray:
    """What is shown once it has not changed for a while; frames under way when a video stops come a moment later."""
    shown, since = look(), time.monotonic()

    def stands_still() -> bool:
        nonlocal shown, since
        now = look()
        if not np.array_equal(now, shown):
            shown, since = now, time.monotonic()
        return time.monotonic() - since > scaled(0.5)

    wait_until(stands_still, what="an image that stands still")
    return shown


def test_few_frames_are_held_in_memory(live) -> None:
    count = """() => {
        window.alive = 0;
        const close = ImageBitmap.prototype.close;
        ImageBitmap.prototype.close = function () { if (this.counted) window.alive--; close.call(this); };
        const create = window.createImageBitmap;
        window.createImageBitmap = async (source, ...more) => {
            const made = await create.call(window, source, ...more);
            if (source instanceof HTMLVideoElement) { made.counted = true; window.alive++; }
            return made;
        };
    }"""
    window = live()
    window.page.evaluate(count)
    window.page.evaluate("new Promise((done) => setTimeout(done, 3000))")
    assert 0 < window.page.evaluate("window.alive") <= 14


def test_classes_and_colours_change_without_a_request(live, seen) -> None:
    requests = []
    window = live()
    window.page.on("request", lambda request: requests.append(request.url) if "readyz" not in request.url else None)
    window.page.get_by_role("button", name="Pause").click()
    frame = window.page.locator("#result .frame")
    painted = settled(lambda: seen(frame))
    window.page.get_by_role("button", name="None", exact=True).click()
    bare = seen(frame)
    window.page.get_by_role("checkbox", name="red").check()
    window.page.locator("#scheme").select_option("safe")
    again = seen(frame)
    assert np.abs(painted - bare).mean() > 10
    assert np.abs(again - bare).mean() > 1
    assert requests == []


def test_the_stream_survives_a_restart_of_the_gateway(live, colour_road, seen) -> None:
    window = live()
    notice, caption = window.page.get_by_role("alert"), window.page.locator("#caption")
    colour_road.gateway.terminate()
    colour_road.gateway.wait(scaled(20))
    window.expect(notice.get_by_role("heading")).to_have_text("The gateway is unreachable")
    window.expect(caption).to_have_text("Waiting for the gateway…")
    frame = window.page.locator("#result .frame")
    assert len({seen(frame).tobytes() for _ in range(10)}) > 1, "the preview stood still"
    window.shoot("live-gateway-away")

    colour_road.start_gateway()
    window.expect(notice).to_be_hidden()
    window.expect(caption).to_have_text("colours v1")
    window.page.get_by_label("Mirror").uncheck()
    paint_numbers(window)
    number, mask = numbers_in(seen(frame))
    assert number == mask


def test_nothing_is_sent_over_a_connection_that_is_being_closed(visit, colour_road) -> None:
    """`close` comes later than the closing state, in which sending loses the frame and warns in the console."""
    states = (
        visit(colour_road.url)
        .open()
        .page.evaluate("""async () => {
            const { Stream } = await import("/static/live/stream.js");
            let socket;
            window.WebSocket = class extends EventTarget {
                static OPEN = 1;
                readyState = 1;
                bufferedAmount = 0;
                sent = 0;
                constructor() { super(); socket = this; }
                send() { this.sent += 1; }
            };
            const stream = new Stream({ configured() {}, failed() {} }, {});
            const hear = (message) =>
                socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
            socket.dispatchEvent(new Event("open"));
            hear({ type: "configured" });
            const states = [stream.isConfigured, stream.isReady, socket.sent];
            socket.readyState = 2;
            states.push(stream.isConfigured, stream.isReady);
            hear({ type: "error", error: { code: "model_loading", message: "it is loading" } });
            await new Promise((resolve) => setTimeout(resolve, 600)); // it tries again after at most 250 ms
            return [...states, socket.sent];
        }""")
    )
    assert states == [True, True, 1, False, False, 1]


def test_readout_shows_frame_rate_and_stage_times(live) -> None:
    window = live()
    total = window.page.locator("#total")
    window.expect(total).to_contain_text("frames per second")
    stages = window.page.locator("#timing dt").all_inner_texts()
    assert stages == ["Decode", "Queue", "Model", "Encode", "This page", "Network"]
    window.shoot("live")


def test_stop_releases_the_camera(live) -> None:
    window = live()
    track = window.page.evaluate_handle("document.getElementById('video').srcObject.getVideoTracks()[0]")
    window.page.get_by_role("button", name="Stop").click()
    window.expect(window.page.get_by_role("button", name="Use the camera")).to_be_focused()
    assert track.evaluate("(track) => track.readyState") == "ended"


def test_live_view_fits_a_phone(live) -> None:
    phone = live(width=390, device_scale_factor=2, has_touch=True, is_mobile=True)
    assert phone.overflow() <= 0
    phone.page.locator("#result .frame").tap()
    phone.expect(phone.page.locator("#probe")).to_contain_text("%")
    phone.shoot("phone-live")


def test_refused_camera_is_explained(visit, colour_road, camera_browser) -> None:
    window = visit(colour_road.url, browser=camera_browser).open()  # a headless browser denies access without asking
    window.page.get_by_role("button", name="Use the camera").click()
    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text("Camera access was denied")
    window.expect(notice.locator("p")).to_have_text(REFUSED)
    window.expect(window.page.get_by_role("button", name="Use the camera")).to_be_visible()
    window.shoot("camera-refused")


def test_missing_camera_is_explained(visit, colour_road) -> None:
    window = visit(colour_road.url, permissions=["camera"]).open()
    window.page.get_by_role("button", name="Use the camera").click()
    window.expect(window.page.get_by_role("alert").get_by_role("heading")).to_have_text("No camera found")


def test_insecure_address_gets_no_camera_and_an_explanation(visit, lay_road, launch_chromium, tmp_path: Path) -> None:
    alone = lay_road(tmp_path / "models_repo", GATEWAY_ALLOWED_HOSTS="segstack.test,127.0.0.1")
    alone.start_gateway()
    browser = launch_chromium("--host-resolver-rules=MAP segstack.test 127.0.0.1")
    window = visit(alone.url.replace("127.0.0.1", "segstack.test"), browser=browser).open()
    window.page.get_by_role("button", name="Use the camera").click()
    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text("This address is not secure")
    for _ in range(2):  # there is no model either, which the header says: it must not take the place of this
        with window.page.expect_response("**/readyz"):
            pass
    window.expect(window.page.get_by_role("status")).to_have_text("No model yet")
    window.expect(notice.get_by_role("heading")).to_have_text("This address is not secure")
    window.expect(notice.locator("code")).to_contain_text(["https://", "http://localhost:", "make cert"])
    window.shoot("insecure")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 30, (COLUMNS * BLOCK, ROWS * BLOCK))
    for number in range(120, 180):
        writer.write(frame_of(number)[:, :, ::-1])
    writer.release()
    return path


def test_a_video_file_is_played_under_its_masks_to_its_last_frame(visit, colour_road, video, seen) -> None:
    window = visit(colour_road.url).open()
    window.choose(video)
    window.expect_overlay()
    window.expect(window.page.get_by_label("Mirror")).to_be_hidden()
    paint_numbers(window)
    window.expect(window.page.get_by_role("button", name="Play")).to_be_visible()  # it has come to its end
    frame = window.page.locator("#result .frame")
    wait_until(lambda: numbers_in(seen(frame)) == (179, 179), what="the last frame under its mask")
    window.page.get_by_label("Position").fill("0.5")
    wait_until(lambda: numbers_in(seen(frame))[0] != 179, what="another frame")
    number, mask = numbers_in(settled(lambda: seen(frame)))
    assert number == mask == pytest.approx(150, abs=3)
    window.shoot("video")


def test_unplayable_video_is_refused_with_a_sentence(visit, colour_road, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"this is no video")
    window = visit(colour_road.url).open()
    window.choose(damaged)
    notice = window.page.get_by_role("alert")
    window.expect(notice.get_by_role("heading")).to_have_text("This browser cannot play the video")
    window.expect(window.page.get_by_role("button", name="Use the camera")).to_be_visible()


@pytest.fixture
def key(colour_road, tmp_path: Path):
    """An API key, which the gateway of ``colour_road`` requires during the test."""
    (key,) = make_api_keys(tmp_path / "api-keys", "kitchen")

    def restart(**settings: str) -> None:
        colour_road.gateway.terminate()
        colour_road.gateway.wait(scaled(20))
        colour_road.start_gateway(**settings)
        colour_road.wait_until_ready()

    restart(GATEWAY_API_KEYS_FILE=str(tmp_path / "api-keys"))
    yield key
    restart()


def test_camera_waits_for_a_required_key(visit, colour_road, camera_browser, key) -> None:
    window = visit(colour_road.url, browser=camera_browser, permissions=["camera"]).open()
    window.page.get_by_role("button", name="Use the camera").click()
    notice, field = window.page.get_by_role("alert"), window.page.get_by_label("API key")
    window.expect(notice.get_by_role("heading")).to_have_text("An API key is required")
    field.fill("segstack_wrong")
    field.press("Enter")
    window.expect(notice.get_by_role("heading")).to_have_text("This API key is not valid")
    window.expect(window.page.locator("#caption")).to_have_text("Waiting for the gateway…")
    field.fill(key)
    field.press("Enter")
    window.expect_overlay()
    window.expect(notice).to_be_hidden()
