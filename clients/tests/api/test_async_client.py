"""``AsyncClient`` against a real gateway; what it shares with ``Client`` is tested in test_client.py."""

import asyncio
import itertools

import numpy as np
import pytest

from segclient import AsyncClient, GatewayError, ImageError, Models, Unreachable

pytestmark = pytest.mark.anyio


async def test_segment_render_and_models(url, photo, quarters) -> None:
    async with AsyncClient(url) as client:
        result = await client.segment(photo)
        assert (result.mask == quarters).mean() > 0.99
        assert (await client.render(photo, "overlay", alpha=0.2)).media_type == "image/jpeg"
        assert await client.models() == Models(("shapes",), "shapes")


async def test_segment_many_keeps_the_order_and_takes_few_ahead(url) -> None:
    taken = itertools.count()
    endless = (np.full((8, 8, 3), (200, 20, 20) if next(taken) % 2 else (20, 200, 20), np.uint8) for _ in iter(int, 1))
    async with AsyncClient(url) as client:
        results = client.segment_many(endless, parallel=3)
        assert [max((await anext(results)).areas) for _ in range(10)] == ["tree", "car"] * 5
        await results.aclose()
    assert next(taken) <= 10 + 3


async def test_error_of_segment_many_is_raised_or_returned_in_its_place(url, jpeg) -> None:
    async def images():
        for image in (jpeg, b"no image", jpeg):
            yield image

    async with AsyncClient(url) as client:
        with pytest.raises(GatewayError):
            _ = [result async for result in client.segment_many(images())]
        first, second, third = [result async for result in client.segment_many(images(), return_exceptions=True)]
    assert first.model == third.model == "shapes"
    assert isinstance(second, GatewayError)


async def test_request_is_sent_again_after_429(make_gateway, jpeg) -> None:
    url = str(make_gateway(max_in_flight=1, max_waiting=0).base_url)
    async with AsyncClient(url) as client:
        results = await asyncio.gather(*(client.segment(jpeg) for _ in range(3)))
    assert [result.model for result in results] == ["shapes"] * 3


async def test_missing_file_and_unreachable_gateway_are_errors(url, unused_address) -> None:
    async with AsyncClient(url) as client:
        with pytest.raises(ImageError, match="No such file"):
            await client.segment("nowhere.jpg")
    async with AsyncClient(f"http://{unused_address}") as client:
        with pytest.raises(Unreachable, match="make gateway"):
            await client.models()
