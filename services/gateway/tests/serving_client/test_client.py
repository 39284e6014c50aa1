"""The client alone: what it requests, how often, and that masks and cards agree."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from contract import SERVING_DEFAULT
from gateway.api.targets import Target
from gateway.errors import BadServingReply, ServingUnavailable, UnknownVersion
from gateway.flow.deadline import Deadline
from gateway.imaging.images import resize
from gateway.serving_client.client import ServingClient
from gateway.serving_client.protocol import serving_pb2 as pb
from segstack_testing.waiting import scaled

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def event_loop_of_grpc(anyio_backend):
    """One event loop for this module, which ignores loops that are closed.

    gRPC hands the last events of every closed channel of this process, also of gateways that ran in threads, to
    whichever loop polls next; it cannot pass them on to a loop that is closed by then.
    """
    loop = asyncio.get_running_loop()
    report = loop.get_exception_handler()

    def report_others(loop, context):
        if str(context.get("exception")) != "Event loop is closed":
            report(loop, context)

    loop.set_exception_handler(report_others)
    yield
    await asyncio.sleep(0.1)


@pytest.fixture
def client(serving, codecs):
    return lambda: ServingClient([serving.address], codecs)


@pytest.fixture
def prepare(photo):
    """The photo at a card's input size."""

    def resized(card):
        return resize(photo, card.input_height, card.input_width)

    return resized


@pytest.fixture
def segment(client, prepare):
    """``await segment(count, between=…, **pins)``: segmentations one after another through one client.

    ``between`` is called in the gaps.
    """

    async def run(count=1, *, between=lambda: None, signature=SERVING_DEFAULT, **pins):
        predictions = []
        async with client() as serving_client:
            for _ in range(count):
                predictions.append(
                    await serving_client.segment(Target("shapes", **pins), prepare, Deadline(5000), signature=signature)
                )
                await asyncio.to_thread(between)
        return predictions

    return run


def signature_names(serving):
    return [request.model_spec.signature_name for request in serving.predictions]


async def test_card_is_fetched_once_for_a_version(serving, segment):
    await segment(3)
    assert signature_names(serving) == ["describe"] + 3 * ["serving_default"]
    assert serving.metadata_requests == 1


async def test_concurrent_first_requests_fetch_the_card_once(serving, client, prepare):
    async with client() as serving_client:
        await asyncio.gather(*(serving_client.segment(Target("shapes"), prepare, Deadline(5000)) for _ in range(8)))
    assert signature_names(serving).count("describe") == 1


async def test_request_for_an_unknown_version_does_not_fetch_the_card_again(serving, client, prepare):
    async with client() as serving_client:
        for version in (None, 9, None):
            with suppress(UnknownVersion):
                await serving_client.segment(Target("shapes", version), prepare, Deadline(5000))
    assert signature_names(serving).count("describe") == 1


async def test_request_carries_one_image_as_bytes_and_pins_nothing(serving, segment):
    await segment()
    request = serving.predictions[-1]
    tensor = request.inputs["image"]
    assert (tensor.dtype, len(tensor.tensor_content)) == (pb.DT_UINT8, 48 * 64 * 3)
    assert [dim.size for dim in tensor.tensor_shape.dim] == [1, 48, 64, 3]
    assert not request.model_spec.HasField("version")
    assert list(request.output_filter) == ["mask"]


async def test_mask_in_tensor_content_is_understood(serving, segment):
    [plain] = await segment()

    def repack(reply):
        mask = reply.outputs["mask"]
        mask.tensor_content = mask.int_val
        mask.ClearField("int_val")

    serving.change_mask = repack
    [packed] = await segment()
    assert np.array_equal(plain.mask, packed.mask)


async def test_new_version_answers_with_its_own_card(serving, segment, card):
    renamed = (*card.classes[:1], *(c.__class__(c.id, f"{c.name} 2", c.color) for c in card.classes[1:]))
    first, second = await segment(2, between=lambda: serving.publish("shapes", 2, classes=renamed))
    assert (first.served.version, first.served.card.classes[1].name) == (1, "car")
    assert (second.served.version, second.served.card.classes[1].name) == (2, "car 2")


async def test_new_version_with_another_input_size_gets_a_resized_image(serving, segment):
    first, second = await segment(2, between=lambda: serving.publish("shapes", 2, input_height=24, input_width=80))
    assert first.mask.shape == (48, 64)
    assert (second.served.version, second.mask.shape) == (2, (24, 80))


async def test_new_version_that_accepts_the_old_size_still_gets_its_own_size(serving, segment):
    serving.checks_shapes = False
    _, second = await segment(2, between=lambda: serving.publish("shapes", 2, input_height=24, input_width=80))
    assert (second.served.version, second.mask.shape) == (2, (24, 80))


async def test_pinned_version_is_requested_by_number(serving, segment):
    serving.publish("shapes", 2)
    [prediction] = await segment(version=1)
    assert prediction.served.version == 1
    assert {request.model_spec.version.value for request in serving.predictions} == {1}


async def test_reply_of_another_version_than_the_pinned_is_an_error(serving, segment):
    def answer_with_version_9(reply):
        reply.model_spec.version.value = 9

    serving.change_mask = answer_with_version_9
    with pytest.raises(BadServingReply, match="expected 1"):
        await segment(version=1)


async def test_versions_are_listed_newest_first_with_their_errors(serving, client):
    serving.publish("shapes", 2)
    serving.states["shapes", 2] = (pb.ModelVersionStatus.END, "no saved_model.pb")
    async with client() as serving_client:
        found = await serving_client.versions("shapes", Deadline(5000))
    assert [(s.version, s.state, s.error) for s in found] == [(2, "END", "no saved_model.pb"), (1, "AVAILABLE", "")]


async def test_cards_are_fetched_again_after_a_restart(serving, client, prepare, card):
    async with client() as serving_client:
        before = await serving_client.segment(Target("shapes"), prepare, Deadline(5000))
        await asyncio.to_thread(serving.stop)
        serving.publish("shapes", 1, classes=tuple(replace(c, name=f"{c.name} again") for c in card.classes))
        await asyncio.to_thread(serving.start)
        after = None
        async with asyncio.timeout(scaled(10)):
            while after is None:
                with suppress(ServingUnavailable):
                    after = await serving_client.segment(Target("shapes"), prepare, Deadline(5000))
                await asyncio.sleep(0.02)
    assert before.served.version == after.served.version == 1
    assert after.served.card.classes[1].name == "car again"


async def test_masks_of_many_megapixels_fit_into_a_message(serving, segment):
    serving.publish("shapes", 2, input_height=2400, input_width=2400)
    [prediction] = await segment()
    assert prediction.mask.shape == (2400, 2400)


async def test_label_is_requested_by_name_and_answered_with_its_version(serving, segment):
    serving.publish("shapes", 2)
    serving.labels["shapes", "stable"] = 1
    [prediction] = await segment(label="stable")
    assert prediction.served.version == 1
    assert serving.predictions[-1].model_spec.version_label == "stable"


async def test_moved_label_is_followed(serving, segment):
    serving.publish("shapes", 2, input_height=24, input_width=80)
    serving.labels["shapes", "stable"] = 1
    first, second = await segment(2, label="stable", between=lambda: serving.labels.update({("shapes", "stable"): 2}))
    assert (first.served.version, second.served.version) == (1, 2)
    assert second.mask.shape == (24, 80)


async def test_unknown_label_is_an_error(segment):
    with pytest.raises(UnknownVersion, match="no version labelled 'best'"):
        await segment(label="best")
