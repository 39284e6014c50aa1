"""Every state of the page passes axe-core's rules, light and dark."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def serious_problems(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']} {[node['target'] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_of_the_page_has_a_serious_problem(
    visit, colour_road, launch_chromium, tmp_path: Path, scheme: str
) -> None:
    camera = launch_chromium("--use-fake-device-for-media-stream")
    window = visit(colour_road.url, browser=camera, color_scheme=scheme).open()
    page = window.page
    window.expect(page.get_by_label("Version")).to_be_visible()
    problems = {"empty": serious_problems(page)}

    page.get_by_role("button", name="Use the camera").click()
    window.expect(page.get_by_role("alert")).to_be_visible()
    problems["refused"] = serious_problems(page)

    window.context.grant_permissions(["camera"])
    page.get_by_role("button", name="Use the camera").click()
    window.expect_overlay()
    problems["live"] = serious_problems(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Slider").click()
    problems["slider"] = serious_problems(page)
    page.get_by_text("Side by side").click()
    problems["side by side"] = serious_problems(page)

    window.open("/docs")
    window.expect(page.locator(".operation").first).to_be_visible()
    problems["docs"] = serious_problems(page)
    assert {state: found for state, found in problems.items() if found} == {}
