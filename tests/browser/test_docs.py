"""The API reference at /docs is complete and needs no internet."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def gateway(lay_road, tmp_path_factory: pytest.TempPathFactory):
    """A gateway without serving: the reference needs no model."""
    gateway = lay_road(tmp_path_factory.mktemp("docs") / "models_repo")
    gateway.start_gateway()
    return gateway


def test_reference_lists_every_operation_with_parameters_and_replies(visit, gateway) -> None:
    window = visit(gateway.url).open("/docs")
    page = window.page
    document = gateway.http.get("/openapi.json").json()
    operations = [
        (method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    assert "/segment" in document["paths"]
    window.expect(page.locator(".operation")).to_have_count(len(operations))
    for method, path, operation in operations:
        card = page.locator(f"#{operation['operationId']}")
        window.expect(card.get_by_role("heading", level=2)).to_have_text(f"{method.upper()}{path}")
        terms = card.locator(".rows > dt").all_text_contents()
        for expected in [*operation["responses"], *(p["name"] for p in operation.get("parameters", []))]:
            assert expected in terms


def test_page_and_reference_link_to_each_other(visit, gateway) -> None:
    window = visit(gateway.url).open()
    page = window.page
    page.get_by_role("link", name="API").click()
    window.expect(page).to_have_title("Segstack API")
    page.get_by_role("link", name="Segstack").click()
    window.expect(page).to_have_title("Segstack")


def test_example_commands_use_the_address_of_this_gateway(visit, gateway) -> None:
    window = visit(gateway.url).open("/docs")
    card = window.page.locator("#segment")
    window.expect(card.get_by_text(f"curl -F image=@photo.jpg {gateway.url}/segment")).to_be_visible()


@pytest.mark.parametrize(("name", "width"), [("docs", 1280), ("phone-docs", 390)])
def test_reference_fits_the_window_with_every_detail_open(visit, gateway, name: str, width: int) -> None:
    window = visit(gateway.url, width=width).open("/docs")
    window.expect(window.page.locator(".operation").first).to_be_visible()
    window.shoot(name)
    window.page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    assert window.overflow() <= 0
