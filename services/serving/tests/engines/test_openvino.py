"""OpenVINO against TensorFlow: the same outputs and errors, and versions on which they differ are refused."""

import logging
import threading

import numpy as np
import pytest
import tensorflow as tf
from grpc import RpcError, StatusCode
from tensorflow_serving.apis import predict_pb2

from serving import engines
from serving.engines import agreement
from serving.engines import openvino as engine
from serving.engines.agreement import DisagreementError
from serving.engines.openvino import OpenVINOServable
from serving.errors import ServingError
from serving.flags import FlagError, Flags
from serving.models.predict import predict
from serving.models.servable import Servable

HEIGHT, WIDTH, CLASSES = 48, 64, 5
# With this seed no pixel of the images is near a tie: two logits differ by 2e-4 or more, far above rounding.
RANDOM = np.random.default_rng(15)
IMAGES = RANDOM.integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)


class Network(tf.Module):
    """A segmentation network in miniature: logits at an eighth, from weights in a variable, resized, argmax."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_normal([8, 8, 3, CLASSES], [1, 2]) / 14)

    def logits(self, image):
        low = tf.nn.conv2d(tf.cast(image, tf.float32) / 127.5 - 1, self.kernel, 8, "SAME")
        return tf.image.resize(low, [HEIGHT, WIDTH])

    @tf.function(input_signature=[tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.uint8, name="image")])
    def mask(self, image):
        return {"mask": tf.cast(tf.argmax(self.logits(image), -1), tf.uint8)}

    @tf.function(input_signature=[tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.uint8, name="image")])
    def scores(self, image):
        p = tf.nn.softmax(self.logits(image))
        confidence = tf.cast(tf.round(255 * tf.reduce_max(p, -1)), tf.uint8)
        return {"mask": self.mask(image)["mask"], "confidence": confidence}

    @tf.function(input_signature=[tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.uint8, name="image")])
    def probabilities(self, image):
        return {"probabilities": tf.nn.softmax(self.logits(image))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="query")])
    def describe(self, query):
        return {"model_card": tf.strings.join([query, "{}"])}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "1"
    module = Network()
    signatures = {name: getattr(module, name) for name in ("scores", "probabilities", "describe")}
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.mask, **signatures})
    return path


def message(reply):
    return predict_pb2.PredictResponse.FromString(reply.serialize())


@pytest.fixture(scope="module")
def both(network, segmenter):
    """Each model on TensorFlow and on OpenVINO, by name."""
    pairs = {
        name: (Servable(path), OpenVINOServable(path, None, "f32", 0.99))
        for name, path in {"network": network, "segmenter": segmenter}.items()
    }
    yield pairs
    for pair in pairs.values():
        for servable in pair:
            servable.close()


@pytest.fixture
def run_both(both, predict_request):
    """``run_both("network", "scores", image=…)``: TensorFlow's answer and OpenVINO's, arrays or a code and a text."""

    def answer(servable, request):
        try:
            reply = message(predict(servable, request))
        except ServingError as error:
            return error.code, error.message
        return {alias: tf.make_ndarray(tensor) for alias, tensor in reply.outputs.items()}

    def run_both(model, signature="", **inputs):
        request = predict_request(model, signature, **inputs)
        return [answer(servable, request) for servable in both[model]]

    return run_both


@pytest.fixture
def on_openvino(monkeypatch):
    """How many runs OpenVINO has answered."""
    answered = []
    run = engine.CompiledSignature.run

    def counted(self, *arguments):
        values = run(self, *arguments)
        answered.append(values)
        return values

    monkeypatch.setattr(engine.CompiledSignature, "run", counted)
    return answered


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("signature", ["serving_default", "scores"])
def test_masks_equal_tensorflows(run_both, on_openvino, signature, count):
    expected, actual = run_both("network", signature, image=IMAGES[:count])
    assert len(on_openvino) == 1
    assert actual.keys() == expected.keys()
    assert actual["mask"].dtype == np.uint8
    assert np.array_equal(actual["mask"], expected["mask"])
    if signature == "scores":
        assert np.abs(actual["confidence"].astype(int) - expected["confidence"]).max() <= 1


def test_probabilities_are_close(run_both, on_openvino):
    expected, actual = run_both("network", "probabilities", image=IMAGES)
    assert len(on_openvino) == 1
    np.testing.assert_allclose(actual["probabilities"], expected["probabilities"], atol=1e-5)


def test_only_requested_outputs(run_both, on_openvino):
    expected, actual = run_both("network", "scores", image=IMAGES, outputs=["confidence"])
    assert len(on_openvino) == 1
    assert list(actual) == list(expected) == ["confidence"]


def test_two_inputs_are_not_swapped(run_both, on_openvino):
    expected, actual = run_both("segmenter", "add", a=np.float32([1, 2]), b=np.float32([10, 20]))
    assert len(on_openvino) == 1
    assert actual["sum"].tolist() == expected["sum"].tolist() == [11, 22]


def test_strings_stay_on_tensorflow(run_both, on_openvino):
    assert run_both("network", "describe", query=["x"])[1] == {"model_card": np.array([b"x{}"], object)}
    assert on_openvino == []


UNSUPPORTED_INPUTS = {
    "rank": IMAGES[0],
    "channels": IMAGES[..., :2],
    "dtype": IMAGES.astype(np.float32),
    "no image": IMAGES[:0],
    "another size": IMAGES[:, :32, :32],
}


@pytest.mark.parametrize("case", UNSUPPORTED_INPUTS)
def test_tensorflow_runs_inputs_that_the_compiled_graph_does_not_accept(run_both, on_openvino, case):
    expected, actual = run_both("network", image=UNSUPPORTED_INPUTS[case])
    assert on_openvino == []
    assert type(actual) is type(expected)
    if isinstance(expected, tuple):
        assert actual == expected
    else:
        assert np.array_equal(actual["mask"], expected["mask"])


def test_tensorflow_runs_what_openvino_fails_on(run_both, on_openvino):
    # Shapes of [None] fit each alone; that they do not fit each other shows only during the run.
    expected, actual = run_both("segmenter", "add", a=np.zeros(2, np.float32), b=np.zeros(3, np.float32))
    assert expected[0] is StatusCode.INVALID_ARGUMENT
    assert actual == expected
    assert on_openvino == []


def test_deadline_ends_a_run(both, on_openvino):
    _, servable = both["segmenter"]
    request = servable.signatures["serving_default"]
    image = {request.inputs["image"].name: np.zeros((64, 512, 512, 3), np.uint8)}
    with pytest.raises(ServingError) as error:
        servable.run(image, [request.outputs["mask"].name], timeout_ms=1)
    assert error.value.code is StatusCode.DEADLINE_EXCEEDED
    assert on_openvino == []
    small = {request.inputs["image"].name: IMAGES}
    assert servable.run(small, [request.outputs["mask"].name], timeout_ms=60_000)[0].shape == IMAGES.shape[:3]
    assert len(on_openvino) == 1


def test_concurrent_calls_get_their_own_outputs(both, on_openvino):
    tensorflow, openvino = both["network"]
    signature = tensorflow.signatures["scores"]
    feed, fetches = signature.inputs["image"].name, [signature.outputs[alias].name for alias in ("mask", "confidence")]
    images = RANDOM.integers(0, 256, (8, 1, HEIGHT, WIDTH, 3), np.uint8)
    expected = [openvino.run({feed: image}, fetches) for image in images]
    on_openvino.clear()
    wrong = []

    def work(image, answer):
        # All kept until the end: a later run must not write into them.
        answers = [openvino.run({feed: image}, fetches) for _ in range(20)]
        wrong.extend(one for one in answers if not all(map(np.array_equal, one, answer)))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(images, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(on_openvino) == 8 * 20


def test_output_is_not_overwritten_by_the_next_run(both):
    _, openvino = both["network"]
    signature = openvino.signatures["probabilities"]
    feed, fetches = signature.inputs["image"].name, [signature.outputs["probabilities"].name]
    (first,) = openvino.run({feed: IMAGES[:1]}, fetches)
    kept = first.copy()
    openvino.run({feed: IMAGES[1:2]}, fetches)
    assert np.array_equal(first, kept)


def test_argmax_is_computed_before_upsampling(both):
    """Of the network's masks; not of the segmenter's, whose argmax is over the image itself."""
    tails = {
        name: [sorted(alias for alias, output in compiled.tails.items() if output) for compiled in openvino.compiled]
        for name, (_, openvino) in both.items()
    }
    assert sorted(tails["network"]) == [[], ["mask"], ["mask"]]
    assert not any(tails["segmenter"])


def test_version_that_agrees_too_little_is_refused(network, monkeypatch):
    monkeypatch.setattr(engine.UpsampledArgmax, "__call__", lambda self, logits: np.zeros((1, HEIGHT, WIDTH), np.uint8))
    with pytest.raises(DisagreementError) as error:
        OpenVINOServable(network, None, "f32", 0.999)
    assert error.value.code is StatusCode.FAILED_PRECONDITION
    assert "on OpenVINO f32 agrees with TensorFlow on" in error.value.message
    assert "expected at least 99.90%" in error.value.message
    assert "--engine=tensorflow" in error.value.message


def test_agreement_is_logged(network, caplog):
    with caplog.at_level(logging.INFO):
        OpenVINOServable(network, None, "f32", 0.999).close()
    assert "serving_default on OpenVINO f32 agrees with TensorFlow on 100.00 %" in caplog.text


def test_folder_without_a_model_is_refused_as_by_tensorflow(tmp_path):
    with pytest.raises(ServingError, match="Could not find SavedModel"):
        OpenVINOServable(tmp_path, None, "f32", 0.999)


class TestChoice:
    @pytest.mark.parametrize(
        ("chosen", "text"),
        [
            ({"engine": "onnx"}, "--engine is 'onnx': expected one of tensorflow, openvino"),
            ({"precision": "int8"}, "--precision is 'int8': expected one of f32, bf16, auto"),
            ({"precision": "bf16"}, "add --engine=openvino"),
            ({"engine_min_agreement": 98.0}, "expected a fraction from 0 to 1"),
        ],
        ids=str,
    )
    def test_invalid_choices(self, chosen, text):
        with pytest.raises(FlagError, match=text):
            engines.check(Flags(**chosen))

    def test_openvino_is_not_installed(self, monkeypatch):
        engines.check(Flags(engine="openvino"))
        monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(FlagError, match=r"install segstack-serving\[openvino\]"):
            engines.check(Flags(engine="openvino"))

    @pytest.mark.parametrize(("native", "tried"), [(True, [("bf16", 0.97), ("f32", 0.999)]), (False, [("f32", 0.999)])])
    def test_auto_tries_bf16_if_the_processor_has_it_each_with_its_minimum(self, network, monkeypatch, native, tried):
        monkeypatch.setattr(engine, "has_native_bf16", lambda: native)
        monkeypatch.setattr(agreement, "equal_fraction", lambda expected, actual: 0.5)
        refused = []
        refuse = DisagreementError.__init__

        def counted(self, path, what, *fractions):
            refused.append((what.split()[-1], fractions[1]))
            refuse(self, path, what, *fractions)

        monkeypatch.setattr(DisagreementError, "__init__", counted)
        with pytest.raises(DisagreementError):
            engines.loader(Flags(engine="openvino", precision="auto"), None)(network)
        assert refused == tried
        refused.clear()
        with pytest.raises(DisagreementError):
            engines.loader(Flags(engine="openvino", precision="auto", engine_min_agreement=0.6), None)(network)
        assert refused == [(precision, 0.6) for precision, _ in tried]

    def test_tensorflow_is_the_default(self, network):
        servable = engines.loader(Flags(), None)(network)
        servable.close()
        assert type(servable) is Servable


def test_server_on_openvino(start_server, network, link_version, predict_request, both):
    root = link_version(network, "network", 1)
    arguments = "--model_name=network", f"--model_base_path={root / 'network'}"
    server = start_server("--engine=openvino", "--precision=bf16", *arguments).connect()
    server.wait_for(r"network/1: serving_default on OpenVINO (bf16|f32) agrees with TensorFlow on \d+\.\d+ %")
    reply = server.prediction.Predict(predict_request("network", image=IMAGES))
    expected = message(predict(both["network"][0], predict_request("network", image=IMAGES)))
    masks = [tf.make_ndarray(each.outputs["mask"]) for each in (reply, expected)]
    assert (masks[0] == masks[1]).mean() > 0.97
    with pytest.raises(RpcError) as error:
        server.prediction.Predict(predict_request("network", image=IMAGES[0]))
    assert error.value.code() is StatusCode.INVALID_ARGUMENT


class Restless(tf.Module):
    """Another mask each time, on either engine."""

    @tf.function(input_signature=[tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.uint8, name="image")])
    def mask(self, image):
        return {"mask": tf.cast(tf.argmax(tf.random.uniform(tf.shape(image)), -1), tf.uint8)}


def test_version_below_the_minimum_agreement_ends_with_its_error(start_server, tmp_path, link_version):
    tf.random.set_seed(None)  # with the seed of a test before, both engines draw the same numbers
    module = Restless()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.mask)
    root = link_version(tmp_path / "saved", "restless", 1)
    arguments = "--model_name=restless", f"--model_base_path={root / 'restless'}", "--max_num_load_retries=0"
    server = start_server("--engine=openvino", *arguments)
    server.wait_for(
        r"Failed to start server\. Error: .*serving_default on OpenVINO f32 agrees with TensorFlow on "
        r"3\d\.\d+%, expected at least 99\.90%"
    )
