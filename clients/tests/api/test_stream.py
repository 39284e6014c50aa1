"""``Client.stream`` and ``AsyncClient.stream`` against a real gateway; each test runs with both."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest

from segclient import AsyncClient, Client, GatewayError, ImageError, StreamClosed, Unreachable
from segstack_testing.gateways import make_api_keys, metric
from segstack_testing.waiting import wait_until_async

pytestmark = pytest.mark.anyio


def in_threads(url, frames, take, api_key=None, **options) -> list:
    with Client(url, api_key=api_key) as client:
        results = client.stream(frames, **options)
        taken = list(itertools.islice(results, take))
        results.close()
        return taken


async def in_asyncio(url, frames, take, api_key=None, **options) -> list:
    taken = []
    async with AsyncClient(url, api_key=api_key) as client:
        results = client.stream(frames, **options)
        async for result in results:
            taken.append(result)
            if len(taken) == take:
                break
        await results.aclose()
    return taken


@pytest.fixture(params=["Client", "AsyncClient"])
def stream(request, url) -> Callable[..., Awaitable[list]]:
    """``await stream(frames, take=None, **options)``: the first ``take`` results, or all."""

    async def run(frames, take=None, url=url, **options) -> list:
        if request.param == "Client":
            return await asyncio.to_thread(in_threads, url, frames, take, **options)
        return await in_asyncio(url, frames, take, **options)

    return run


def numbered(count: int | None = None) -> Iterator[np.ndarray]:
    """Frames of 40x32 pixels, red, with n green columns, n being their number modulo 40."""
    for number in itertools.count() if count is None else range(count):
        frame = np.full((32, 40, 3), (200, 20, 20), np.uint8)
        frame[:, : number % 40] = (20, 200, 20)
        yield frame


async def test_mask_belongs_to_its_frame(stream) -> None:
    results = await stream(numbered(), take=6)
    assert len(results) == 6
    assert [result.sequence for result in results] == sorted({result.sequence for result in results})
    for result in results:
        assert result.mask.shape == (32, 40)
        green = result.frame[..., 1] > 100
        assert ((result.mask == 2) == green).mean() > 0.9, "JPEG and the model's size cost some pixels"


async def test_last_frame_is_answered_and_dropped_ones_are_counted(stream) -> None:
    results = await stream(numbered(20))
    assert results[-1].sequence == 19
    assert len(results) + sum(result.dropped for result in results) == 20


async def test_slow_model_gets_the_newest_frame_and_few_are_under_way(stream, make_gateway, serving, gate) -> None:
    gateway = make_gateway()

    def hold(request, context) -> None:
        if request.model_spec.signature_name != "describe":
            gate.wait(30)

    serving.before_predict = hold
    results = asyncio.create_task(stream(numbered(), take=2, url=str(gateway.base_url)))
    await wait_until_async(lambda: metric(gateway, "segstack_gateway_frames_received_total") == 8)
    gate.set()
    first, second = await results
    assert second.sequence >= 7
    assert first.dropped + second.dropped >= second.sequence - 1


async def test_result_has_model_classes_and_timings(stream) -> None:
    (result,) = await stream(numbered(1))
    assert (result.model, result.version, result.ignore_id) == ("shapes", 1, 255)
    assert [c.name for c in result.classes] == ["background", "car", "tree", "fußgänger"]
    timings = result.timings
    assert 0 < timings.infer_ms < timings.round_trip_ms


async def test_overlay_is_drawn_on_the_results_own_frame(stream) -> None:
    (result,) = await stream(numbered(1))
    assert result.overlay(alpha=1)[5, 5].tolist() == [220, 60, 60]
    assert result.overlay(alpha=0)[5, 5].tolist() == result.frame[5, 5].tolist()


async def test_classes_keeps_some_and_ignores_the_rest(stream) -> None:
    (result,) = await stream(numbered(1), classes=["tree"])
    assert set(np.unique(result.mask)) <= {2, 255}


@pytest.mark.parametrize(
    ("options", "code"), [({"model": "nosuch"}, "unknown_model"), ({"classes": ["cra"]}, "invalid_parameter")]
)
async def test_invalid_option_raises_the_gateways_error(stream, options, code) -> None:
    with pytest.raises(GatewayError) as caught:
        await stream(numbered(), take=1, **options)
    assert caught.value.code == code


@pytest.fixture
def first_frame_fails(serving) -> None:
    def abort_once(request, context) -> None:
        if request.model_spec.signature_name != "describe":
            serving.before_predict = lambda request, context: None
            context.abort(3, "cannot be computed")

    serving.before_predict = abort_once


async def test_error_of_a_frame_is_raised(stream, first_frame_fails) -> None:
    with pytest.raises(GatewayError):
        await stream(numbered(), take=1)


async def test_return_exceptions_gives_the_error_in_the_frames_place(stream, first_frame_fails) -> None:
    failed, result = await stream(numbered(), take=2, return_exceptions=True)
    assert isinstance(failed, GatewayError)
    assert result.model == "shapes"


async def test_array_that_is_no_image_is_an_error(stream) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \[height, width, 3\]"):
        await stream([*numbered(1), np.zeros((4, 4), np.uint8)])


async def test_error_of_the_frame_iterator_is_raised(stream) -> None:
    def unplugged() -> Iterator[np.ndarray]:
        yield from numbered(1)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        await stream(unplugged())


async def test_unreachable_gateway_is_an_error(stream, unused_address) -> None:
    with pytest.raises(Unreachable, match="make gateway"):
        await stream(numbered(), url=f"http://{unused_address}")


async def test_api_key_is_sent(stream, make_gateway, tmp_path) -> None:
    (key,) = make_api_keys(tmp_path / "api-keys", "tests")
    url = str(make_gateway(api_keys_file=tmp_path / "api-keys").base_url)
    with pytest.raises(GatewayError, match="key"):
        await stream(numbered(), url=url, take=1)
    (result,) = await stream(numbered(1), url=url, api_key=key)
    assert result.model == "shapes"


@pytest.mark.stream
async def test_gateway_shutdown_ends_the_stream_with_a_transient_error(stream, run_gateway) -> None:
    with run_gateway() as running:

        def frames() -> Iterator[np.ndarray]:
            yield from numbered(2)
            running.process.terminate()
            yield from numbered()

        with pytest.raises(StreamClosed) as caught:
            await stream(frames(), url=str(running.client.base_url))
    assert caught.value.transient


async def test_async_iterator_of_frames_runs_in_the_same_event_loop(url) -> None:
    async def frames():
        for frame in numbered(3):
            yield frame
            await asyncio.sleep(0)

    async with AsyncClient(url) as client:
        assert [result.sequence async for result in client.stream(frames())][-1] == 2
