"""A real Chromium. Every visit must request nothing but the gateway and log no error.

Playwright is imported only when a test runs: `make test` collects these tests without running them, and its
environment need not have Playwright.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from segstack_testing.waiting import scaled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page

# Screenshots for review; git ignores them.
ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
# A cold model on a busy machine takes its time.
PATIENCE_MS = scaled(30_000)
# Chromium itself writes to the console when a fetch fails, however well the page takes it.
PAGE_HANDLES_FAILURES_OF = {"readyz", "segment", "models", "stream"}
HOW_TO_INSTALL = "scripts/install-browser.sh installs it"

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--use-angle=swiftshader",  # WebGL without a graphics card
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # there is no internet for these pages
]


@pytest.fixture(scope="module")
def launch_chromium() -> Iterator[Callable[..., Browser]]:
    """``launch_chromium(*options)``: a Chromium with these options and the usual ones."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason=f"there is no playwright: {HOW_TO_INSTALL}")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip(f"there is no chromium on PATH: {HOW_TO_INSTALL}")
    playwright_api.expect.set_options(timeout=PATIENCE_MS)
    with playwright_api.sync_playwright() as playwright:
        yield lambda *options: playwright.chromium.launch(
            executable_path=executable, args=[*CHROMIUM_OPTIONS, *options]
        )


@pytest.fixture(scope="module")
def chromium(launch_chromium: Callable[..., Browser]) -> Browser:
    return launch_chromium()


class Visit:
    """A window on the gateway at ``url``, and the requests and errors that the browser recorded."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        from playwright.sync_api import expect

        self.requests: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.set_default_timeout(PATIENCE_MS)
        self.context = context
        self.expect = expect
        self.page: Page = context.new_page()
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.url = url

    def _hear(self, message: ConsoleMessage) -> None:
        failed = re.match(r"Failed to load resource|WebSocket connection to '(\S+)' failed", message.text)
        failed_path = failed and urlsplit(failed[1] or message.location["url"]).path
        route = failed_path and failed_path.strip("/").partition("/")[0]  # "models" of /models/NAME too
        if message.type in {"error", "warning"} and route not in PAGE_HANDLES_FAILURES_OF:
            self.complaints.append(message.text)

    def open(self, path: str = "/") -> Visit:
        self.page.goto(self.url + path)
        return self

    def choose(self, photo: Path) -> None:
        """Click the drop area and choose the photo in the file dialog."""
        with self.page.expect_file_chooser() as dialog:
            self.page.get_by_text("choose a file").click()
        dialog.value.set_files(photo)

    def expect_overlay(self) -> None:
        self.expect(self.page.get_by_role("heading", name="Classes")).to_be_visible()

    def segmentations(self) -> int:
        """The number of images sent so far."""
        return sum(urlsplit(url).path == "/segment" for url in self.requests)

    def foreign_requests(self) -> list[str]:
        """Requests to other hosts than the gateway."""
        ours = (self.url, self.url.replace("http", "ws", 1), f"blob:{self.url}")
        return [url for url in self.requests if not url.startswith(ours)]

    def overflow(self) -> int:
        """CSS pixels by which the page is wider than the requested window; a phone's window grows with its content."""
        return self.page.evaluate("document.scrollingElement.scrollWidth") - self.page.viewport_size["width"]

    def shoot(self, name: str) -> None:
        """Save a screenshot of the whole page, for review."""
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """``visit(url, width=1280, browser=chromium, **context_options)`` opens a window.

    At the end, no visit may have logged an error.
    """
    visits: list[Visit] = []

    def make(url: str, width: int = 1280, browser: Browser = chromium, **options) -> Visit:
        viewport = {"width": width, "height": 800}
        visits.append(Visit(browser.new_context(viewport=viewport, **options), url))
        return visits[-1]

    yield make
    for each in visits:
        each.context.close()
        assert each.complaints == []
        assert each.foreign_requests() == []


@pytest.fixture(scope="session")
def seen() -> Callable[[Locator], np.ndarray]:
    """``seen(locator)``: what is on the screen there, float [H,W,3], RGB 0 to 255."""

    def screenshot(locator: Locator) -> np.ndarray:
        with Image.open(BytesIO(locator.screenshot())) as image:
            return np.asarray(image.convert("RGB"), float)

    return screenshot
