"""What the contract writes by hand is read by protobuf, TensorFlow Serving's API and TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from contract import ClassInfo, ModelCard, signatures, warmup
from contract.serving_config import models_config, textproto

BY_HAND = r"""
# Written by hand.
model_config_list: {
  config: <
    name: 'signs'
    base_path: "/mnt/mod\303\250les/" 'signs \x41\t\"quoted\"'
    model_platform: "tensorflow";
    model_version_policy { specific { versions: [3, 5] } }
    version_labels { key: "stable" value: 3 },
    version_labels [{ key: 'canary' value: 5 }]
    logging_config { sampling_config { sampling_rate: 1e-2 } }
  >
  config { name: "ro" "ad-trt-fp16" base_path: "/models/road-trt-fp16" model_version_policy { all: <> } }
}
"""


@pytest.fixture
def card():
    classes = tuple(ClassInfo(i, name, (i, i, i)) for i, name in enumerate(["background", "road", "sky"]))
    return ModelCard("road", "ddrnet23_slim", 64, 96, classes)


def server_config(text):
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


class TestModelsConfig:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "models.config"

    def test_serving_reads_what_publishing_writes(self, path):
        for name in ["road", "road-trt-fp16"]:
            models_config.list_model(path, name, {1: path.parent})
        configs = server_config(path.read_text()).model_config_list.config
        assert [config.name for config in configs] == ["road", "road-trt-fp16"]
        for config in configs:
            assert config.base_path == f"/models/{config.name}"
            assert config.model_platform == "tensorflow"
            assert config.model_version_policy.latest.num_versions == 2

    def test_adding_a_model_changes_nothing_else(self, path):
        path.write_text(BY_HAND)
        before = server_config(BY_HAND)
        models_config.list_model(path, "road", {1: path.parent})
        after = server_config(path.read_text())
        assert after.model_config_list.config.pop().name == "road"
        assert after == before

    def test_names_equal_those_that_serving_reads(self, path):
        path.write_text(BY_HAND)
        names = [config.name for config in server_config(BY_HAND).model_config_list.config]
        assert models_config.model_names(path) == names == ["signs", "road-trt-fp16"]

    def test_serving_reads_labels_and_policy(self, path):
        folders = {version: path.parent / str(version) for version in range(1, 5)}
        for folder in folders.values():
            folder.mkdir()
            (folder / "saved_model.pb").write_bytes(b"graph")
        models_config.list_model(path, "road", folders, {"stable": 1, 'the "best"': 4})
        (config,) = server_config(path.read_text()).model_config_list.config
        assert dict(config.version_labels) == {"stable": 1, 'the "best"': 4}
        assert list(config.model_version_policy.specific.versions) == [1, 3, 4]
        models_config.list_model(path, "road", folders, {})
        (config,) = server_config(path.read_text()).model_config_list.config
        assert not config.version_labels
        assert config.model_version_policy.latest.num_versions == 2

    @pytest.mark.parametrize("number", ["7", "0x1F", "-3", "0"])
    def test_number_parses_alike(self, number):
        text = f"version_labels {{ key: 'a' value: {number} }}"
        config = text_format.Parse(text, model_server_config_pb2.ModelConfig())
        ((_, ((_, _), (_, scalar))),) = textproto.parse(text)
        assert textproto.to_int(scalar) == config.version_labels["a"]

    def test_protobufs_text_is_read(self, path):
        path.write_text(text_format.MessageToString(server_config(BY_HAND)))
        assert models_config.model_names(path) == ["signs", "road-trt-fp16"]

    @pytest.mark.parametrize(
        "literal",
        [
            r'"\a\b\f\n\r\t\v\\\'\""',
            r"'it\'s \"quoted\"'",
            r'"\303\251 \xc3\xa9 é \u00e9 \U0001F600"',
            r'"\101\x42\60"',
            '"a" \'b\' # comment\n "c"',
        ],
    )
    def test_string_parses_alike(self, literal):
        ((_, scalar),) = textproto.parse(f"name: {literal}")
        config = text_format.Parse(f"name: {literal}", model_server_config_pb2.ModelConfig())
        assert textproto.unquote(scalar) == config.name
        requoted = text_format.Parse(f"name: {textproto.quote(config.name)}", model_server_config_pb2.ModelConfig())
        assert requoted == config

    @pytest.mark.parametrize(
        "text",
        [
            "model_config_list {",
            "model_config_list { config { name } }",
            "model_config_list { config { name: } }",
            "model_config_list { config { name: 'road } }",
            "model_config_list { config [{}, ] }",
            "model_config_list { config [{} {}] }",
            "model_config_list < }",
            "model_config_list {} }",
            "model_config_list {} model_config_list {}",
            "model_config_list: 7",
            "7: {}",
        ],
    )
    def test_text_that_serving_refuses_is_refused(self, path, text):
        with pytest.raises(text_format.ParseError):
            server_config(text)
        path.write_text(text)
        with pytest.raises(models_config.ModelsConfigError):
            models_config.model_names(path)


class TestWarmup:
    @pytest.fixture
    def logs(self, card, tmp_path):
        """As TensorFlow reads them; TFRecordDataset verifies every CRC."""
        warmup.write(tmp_path / warmup.WARMUP_PATH.name, card)
        records = tf.data.TFRecordDataset(str(tmp_path / warmup.WARMUP_PATH.name)).as_numpy_iterator()
        return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]

    def test_crc_detects_a_flipped_bit(self, card, tmp_path):
        path = tmp_path / warmup.WARMUP_PATH.name
        warmup.write(path, card)
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
        with pytest.raises(tf.errors.DataLossError):
            list(tf.data.TFRecordDataset(str(path)))

    def test_every_signature_is_warmed_up_once(self, logs, card):
        specs = [log.predict_log.request.model_spec for log in logs]
        assert [spec.name for spec in specs] == ["road"] * 5
        assert [spec.signature_name for spec in specs] == list(signatures(card))
        for log in logs:
            known = prediction_log_pb2.PredictionLog()
            known.predict_log.request.CopyFrom(log.predict_log.request)
            known.DiscardUnknownFields()
            assert known.ByteSize() == log.ByteSize()

    def test_warm_up_tensors_match_the_contract(self, logs, card):
        for log, signature in zip(logs, signatures(card).values(), strict=True):
            inputs = log.predict_log.request.inputs
            assert set(inputs) == set(signature.inputs)
            for alias, spec in signature.inputs.items():
                assert tf.dtypes.as_dtype(inputs[alias].dtype).name == spec.dtype
                assert tf.make_ndarray(inputs[alias]).shape == (1, *spec.shape[1:])

    def test_warm_up_images_are_grey(self, logs, card):
        requests = {log.predict_log.request.model_spec.signature_name: log.predict_log.request for log in logs}
        grey = np.full((64, 96, 3), 114, np.uint8)
        np.testing.assert_array_equal(tf.make_ndarray(requests["serving_default"].inputs["image"])[0], grey)
        (png,) = requests["encoded"].inputs["image_bytes"].string_val
        np.testing.assert_array_equal(tf.io.decode_image(png, expand_animations=False), grey)
