"""The application as a whole: its OpenAPI document, pages and assets."""

import re

import pytest

from gateway.api.parameters import SegmentParameters
from gateway.app import create_app
from gateway.settings import Settings


@pytest.fixture
def openapi():
    return create_app(Settings()).openapi()


def test_operation_ids_are_stable(openapi):
    ids = {
        f"{method} {path}": o["operationId"] for path, item in openapi["paths"].items() for method, o in item.items()
    }
    assert ids == {
        "post /segment": "segment",
        "post /segment/batch": "segment_batch",
        "get /models": "list_models",
        "get /models/{model}": "get_model",
        "get /models/{model}/agreement": "get_agreement",
        "get /livez": "livez",
        "get /readyz": "readyz",
        "get /metrics": "metrics",
    }


def test_every_error_of_segment_is_documented_with_an_example(openapi):
    responses = openapi["paths"]["/segment"]["post"]["responses"]
    assert sorted(responses) == ["200", "400", "404", "408", "413", "415", "422", "429", "502", "503", "504"]
    for status, response in responses.items():
        if status != "200":
            for example in response["content"]["application/json"]["examples"].values():
                assert set(example["value"]["error"]) == {"code", "message", "detail"}


def test_body_and_reply_types_of_segment_are_documented(openapi):
    operation = openapi["paths"]["/segment"]["post"]
    assert set(operation["requestBody"]["content"]) == {"image/jpeg", "image/png", "image/webp", "multipart/form-data"}
    assert set(operation["responses"]["200"]["content"]) == {
        "image/png",
        "image/jpeg",
        "image/webp",
        "application/json",
    }
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert names == [*SegmentParameters.model_fields, "output"]  # the former name of form, deprecated
    assert all(parameter["description"] for parameter in operation["parameters"])


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_other_hosts(client, path):
    page = client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert link.startswith(("/", "#", "data:")), link


@pytest.mark.parametrize("path", ["/", "/docs", "/livez", "/readyz", "/static/app.js"])
def test_head_is_answered_like_get_without_the_body(client, path):
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
