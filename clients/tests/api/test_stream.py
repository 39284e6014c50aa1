"""``Client.stream`` and ``AsyncClient.stream`` against a real gateway; each test runs with both."""

import asyncio
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from segclient import AsyncClient, Client, GatewayError, ImageError, StreamClosed, Unreachable
from segstack_testing.gateways import metric
from segstack_testing.waiting import wait_until


def in_threads(url, frames, take, **options) -> list:
    with Client(url, api_key=options.pop("api_key", None)) as client:
        results = client.stream(frames, **options)
        taken = list(itertools.islice(results, take))
        results.close()
        return taken


def in_asyncio(url, frames, take, **options) -> list:
    async def run() -> list:
        taken = []
        async with AsyncClient(url, api_key=options.pop("api_key", None)) as client:
            results = client.stream(frames, **options)
            if take == 0:
                return taken
            async for result in results:
                taken.append(result)
                if len(taken) == take:
                    break
            await results.aclose()
        return taken

    return asyncio.run(run())


@pytest.fixture(params=[in_threads, in_asyncio], ids=["Client", "AsyncClient"])
def stream(request, url) -> Callable[..., list]:
    """``stream(frames, take=None, **options)``: the first ``take`` results, or all."""

    def run(frames, take=None, url=url, **options) -> list:
        return request.param(url, frames, take, **options)

    return run


def numbered(count: int | None = None) -> Iterator[np.ndarray]:
    """Frames of 40x32 pixels, red but for as many green columns as their number modulo 40."""
    for number in itertools.count() if count is None else range(count):
        frame = np.full((32, 40, 3), (200, 20, 20), np.uint8)
        frame[:, : number % 40] = (20, 200, 20)
        yield frame


def test_each_mask_belongs_to_its_frame(stream) -> None:
    results = stream(numbered(), take=6)
    assert len(results) == 6
    assert [result.sequence for result in results] == sorted({result.sequence for result in results})
    for result in results:
        assert result.mask.shape == (32, 40)
        green = result.frame[..., 1] > 100
        assert ((result.mask == 2) == green).mean() > 0.9, "as exactly as JPEG and the model's size allow"


def test_the_last_frame_is_answered_and_what_was_not_is_counted(stream) -> None:
    results = stream(numbered(20))
    assert results[-1].sequence == 19
    assert len(results) + sum(result.dropped for result in results) == 20


def test_a_slow_model_gets_the_newest_frame_and_few_are_on_their_way(
    stream, make_gateway, serving, gate, submit
) -> None:
    gateway = make_gateway()

    def hold(request, context) -> None:
        if request.model_spec.signature_name != "describe":
            gate.wait(30)

    serving.before_predict = hold
    results = submit(stream, numbered(), take=2, url=str(gateway.base_url))
    wait_until(lambda: metric(gateway, "segstack_gateway_frames_received_total") == 8)
    gate.set()
    first, second = results.result()
    assert second.sequence >= 7
    assert first.dropped + second.dropped >= second.sequence - 1


def test_who_answered_and_in_what_time(stream) -> None:
    (result,) = stream(numbered(1))
    assert (result.model, result.version, result.ignore_id) == ("shapes", 1, 255)
    assert [c.name for c in result.classes] == ["background", "car", "tree", "fußgänger"]
    timings = result.timings
    assert 0 < timings.infer_ms < timings.round_trip_ms


def test_an_overlay_lies_over_its_own_frame(stream) -> None:
    (result,) = stream(numbered(1))
    assert result.overlay(alpha=1)[5, 5].tolist() == [220, 60, 60]
    assert result.overlay(alpha=0)[5, 5].tolist() == result.frame[5, 5].tolist()


def test_classes_to_keep(stream) -> None:
    (result,) = stream(numbered(1), classes=["tree"])
    assert set(np.unique(result.mask)) <= {2, 255}


@pytest.mark.parametrize(
    ("options", "code"), [({"model": "nosuch"}, "unknown_model"), ({"classes": ["cra"]}, "invalid_parameter")]
)
def test_what_cannot_be_had_is_the_gateways_sentence(stream, options, code) -> None:
    with pytest.raises(GatewayError) as caught:
        stream(numbered(), take=1, **options)
    assert caught.value.code == code


@pytest.fixture
def first_frame_fails(serving) -> None:
    def abort_once(request, context) -> None:
        if request.model_spec.signature_name != "describe":
            serving.before_predict = lambda request, context: None
            context.abort(3, "cannot be computed")

    serving.before_predict = abort_once


def test_a_frames_error_is_raised(stream, first_frame_fails) -> None:
    with pytest.raises(GatewayError):
        stream(numbered(), take=1)


def test_a_frames_error_stands_in_its_place_where_that_is_asked_for(stream, first_frame_fails) -> None:
    failed, result = stream(numbered(), take=2, return_exceptions=True)
    assert isinstance(failed, GatewayError)
    assert result.model == "shapes"


def test_what_is_no_frame_is_said_and_those_before_are_answered(stream) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \[height, width, 3\]"):
        stream([*numbered(1), np.zeros((4, 4), np.uint8)])


def test_an_error_of_the_frames_own_is_raised(stream) -> None:
    def unplugged() -> Iterator[np.ndarray]:
        yield from numbered(1)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        stream(unplugged())


def test_nobody_there(stream, unused_address) -> None:
    with pytest.raises(Unreachable, match="make gateway"):
        stream(numbered(), url=f"http://{unused_address}")


def test_a_key_is_needed_and_sent(stream, make_gateway, tmp_path) -> None:
    from gateway.access.keys import line_of, new_key

    key = new_key()
    (tmp_path / "api-keys").write_text(line_of("tests", key))
    url = str(make_gateway(api_keys_file=tmp_path / "api-keys").base_url)
    with pytest.raises(GatewayError, match="key"):
        stream(numbered(), url=url, take=1)
    assert stream(numbered(1), url=url, api_key=key)[0].model == "shapes"


@pytest.mark.stream
def test_a_gateway_that_shuts_down_ends_the_stream_for_now(stream, run_gateway) -> None:
    with run_gateway() as running:

        def frames() -> Iterator[np.ndarray]:
            yield from numbered(2)
            running.process.terminate()
            yield from numbered()

        with pytest.raises(StreamClosed) as caught:
            stream(frames(), url=str(running.client.base_url))
    assert caught.value.transient


def test_an_async_camera_is_iterated_where_it_lives(url) -> None:
    async def run() -> int:
        async def frames():
            for frame in numbered(3):
                yield frame
                await asyncio.sleep(0)

        async with AsyncClient(url) as client:
            return [result.sequence async for result in client.stream(frames())][-1]

    assert asyncio.run(run()) == 2
