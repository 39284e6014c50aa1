"""The client on its own: what it asks, how often, and that masks and cards agree."""

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


@pytest.fixture
def client(serving, codecs):
    return lambda: ServingClient([serving.address], codecs)


@pytest.fixture
def prepare(photo):
    """The photo at the size a card asks for."""

    def resized(card):
        return resize(photo, card.input_height, card.input_width)

    return resized


@pytest.fixture
def segment(client, prepare):
    """Runs several segmentations one after another through one client, calling ``between`` in the gaps."""

    def run(count=1, *, between=lambda: None, signature=SERVING_DEFAULT, **pins):
        async def all_of_them():
            predictions = []
            async with client() as serving_client:
                for _ in range(count):
                    predictions.append(
                        await serving_client.segment(
                            Target("shapes", **pins), prepare, Deadline(5000), signature=signature
                        )
                    )
                    await asyncio.to_thread(between)
            return predictions

        return asyncio.run(all_of_them())

    return run


def asked(serving):
    return [request.model_spec.signature_name for request in serving.predictions]


def test_the_card_is_asked_for_once_a_version(serving, segment):
    segment(3)
    assert asked(serving) == ["describe"] + 3 * ["serving_default"]
    assert serving.metadata_requests == 1


def test_a_burst_at_the_start_asks_for_the_card_once(serving, client, prepare):
    async def burst():
        async with client() as serving_client:
            await asyncio.gather(*(serving_client.segment(Target("shapes"), prepare, Deadline(5000)) for _ in range(8)))

    asyncio.run(burst())
    assert asked(serving).count("describe") == 1


def test_nor_again_when_somebody_asks_for_a_version_that_is_not_there(serving, client, prepare):
    async def run():
        async with client() as serving_client:
            for version in (None, 9, None):
                with suppress(UnknownVersion):
                    await serving_client.segment(Target("shapes", version), prepare, Deadline(5000))

    asyncio.run(run())
    assert asked(serving).count("describe") == 1


def test_requests_carry_one_image_as_bytes_and_pin_nothing(serving, segment):
    segment()
    request = serving.predictions[-1]
    tensor = request.inputs["image"]
    assert (tensor.dtype, len(tensor.tensor_content)) == (pb.DT_UINT8, 48 * 64 * 3)
    assert [dim.size for dim in tensor.tensor_shape.dim] == [1, 48, 64, 3]
    assert not request.model_spec.HasField("version")
    assert list(request.output_filter) == ["mask"]


def test_replies_in_tensor_content_are_understood(serving, segment):
    [plain] = segment()

    def repack(reply):
        mask = reply.outputs["mask"]
        mask.tensor_content = mask.int_val
        mask.ClearField("int_val")

    serving.change_mask = repack
    [packed] = segment()
    assert np.array_equal(plain.mask, packed.mask)


def test_a_new_version_answers_with_its_own_card(serving, segment, card):
    renamed = (*card.classes[:1], *(c.__class__(c.id, f"{c.name} 2", c.color) for c in card.classes[1:]))
    first, second = segment(2, between=lambda: serving.publish("shapes", 2, classes=renamed))
    assert (first.served.version, first.served.card.classes[1].name) == (1, "car")
    assert (second.served.version, second.served.card.classes[1].name) == (2, "car 2")


def test_a_new_version_with_another_input_size_is_asked_again(serving, segment):
    first, second = segment(2, between=lambda: serving.publish("shapes", 2, input_height=24, input_width=80))
    assert first.mask.shape == (48, 64)
    assert (second.served.version, second.mask.shape) == (2, (24, 80))


def test_even_when_it_takes_the_old_size_as_tensorflow_serving_does(serving, segment):
    serving.checks_shapes = False
    _, second = segment(2, between=lambda: serving.publish("shapes", 2, input_height=24, input_width=80))
    assert (second.served.version, second.mask.shape) == (2, (24, 80))


def test_a_pinned_version_is_asked_for_by_number(serving, segment):
    serving.publish("shapes", 2)
    [prediction] = segment(version=1)
    assert prediction.served.version == 1
    assert {request.model_spec.version.value for request in serving.predictions} == {1}


def test_an_answer_from_another_version_than_the_pinned_is_nonsense(serving, segment):
    def lie(reply):
        reply.model_spec.version.value = 9

    serving.change_mask = lie
    with pytest.raises(BadServingReply, match="expected 1"):
        segment(version=1)


def test_versions_are_listed_newest_first_with_what_went_wrong(serving, client):
    serving.publish("shapes", 2)
    serving.states["shapes", 2] = (pb.ModelVersionStatus.END, "no saved_model.pb")

    async def ask():
        async with client() as serving_client:
            return await serving_client.versions("shapes", Deadline(5000))

    found = asyncio.run(ask())
    assert [(s.version, s.state, s.error) for s in found] == [(2, "END", "no saved_model.pb"), (1, "AVAILABLE", "")]


def test_a_server_that_comes_back_is_asked_for_its_cards_anew(serving, client, prepare, card):
    async def before_and_after():
        async with client() as serving_client:
            before = await serving_client.segment(Target("shapes"), prepare, Deadline(5000))
            await asyncio.to_thread(serving.stop)
            serving.publish("shapes", 1, classes=tuple(replace(c, name=f"{c.name} anew") for c in card.classes))
            await asyncio.to_thread(serving.start)
            patience = Deadline(10_000)
            while patience.remaining_s():
                with suppress(ServingUnavailable):
                    return before, await serving_client.segment(Target("shapes"), prepare, Deadline(5000))
                await asyncio.sleep(0.02)

    first, second = asyncio.run(before_and_after())
    assert first.served.version == second.served.version == 1
    assert second.served.card.classes[1].name == "car anew"


def test_masks_of_many_megapixels_fit(serving, segment):
    serving.publish("shapes", 2, input_height=2400, input_width=2400)
    [prediction] = segment()
    assert prediction.mask.shape == (2400, 2400)


def test_a_label_is_asked_for_by_name_and_answered_by_number(serving, segment):
    serving.publish("shapes", 2)
    serving.labels["shapes", "stable"] = 1
    [prediction] = segment(label="stable")
    assert prediction.served.version == 1
    assert serving.predictions[-1].model_spec.version_label == "stable"


def test_a_label_that_moves_is_followed(serving, segment):
    serving.publish("shapes", 2, input_height=24, input_width=80)
    serving.labels["shapes", "stable"] = 1
    first, second = segment(2, label="stable", between=lambda: serving.labels.update({("shapes", "stable"): 2}))
    assert (first.served.version, second.served.version) == (1, 2)
    assert second.mask.shape == (24, 80)


def test_a_label_that_no_version_has(segment):
    with pytest.raises(UnknownVersion, match="no version labelled 'best'"):
        segment(label="best")
