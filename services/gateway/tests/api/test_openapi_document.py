"""The OpenAPI document against the gateway itself, by requests that Schemathesis generates from it."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from segstack_testing.images import save

EXAMPLES = 120


@st.composite
def encoded_images(draw, kind):
    """Bytes of one of the formats, mostly valid: small, of any colours, sometimes cut or changed."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), np.uint8)
    data = bytearray(save(Image.fromarray(pixels).convert(draw(st.sampled_from(["RGB", "L"]))), kind))
    match draw(st.sampled_from(["sound", "sound", "sound", "cut", "changed"])):
        case "cut":
            data = data[: draw(st.integers(0, len(data)))]
        case "changed":
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.mark.gateway
@pytest.mark.timeout(600)
def test_replies_to_generated_requests_match_the_openapi_document(client):
    import schemathesis  # not where the gateway is tested alone

    kinds = {
        "image/jpeg": encoded_images("JPEG"),
        "image/png": encoded_images("PNG"),
        "image/webp": encoded_images("WEBP"),
    }
    for media_type, strategy in kinds.items():
        schemathesis.openapi.media_type(media_type, strategy)
    schemathesis.openapi.format("binary", st.one_of(*kinds.values(), st.binary()))
    document = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")
    answered = {operation.ok().label: _try(operation.ok()) for operation in document.get_all_operations()}
    assert {"POST /segment", "POST /segment/batch", "GET /models/{model}", "GET /readyz"} <= set(answered)
    assert 200 in answered["POST /segment"]


def _try(operation):
    """The statuses of the replies; a reply that the document does not describe, or a 5xx, is a failure.

    A valid request that is refused is not: no schema can express which bytes decode, or that alpha needs an overlay.
    """
    from schemathesis.specs.openapi import checks

    answered = set()

    @seed(8)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def run(case):
        response = case.call()
        case.validate_response(response, excluded_checks=[checks.positive_data_acceptance])
        answered.add(response.status_code)

    run()
    return answered
