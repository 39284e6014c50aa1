"""models.config in text format: its entries and its errors."""

import pytest

from contract.serving_config.version_policy import All, Latest, Specific
from serving.errors import ServingError
from serving.models import model_config
from serving.models.model_config import ModelConfig, ModelConfigError


def read(text):
    return model_config.models(model_config.parse(text))


def one(extra, platform='model_platform: "tensorflow"'):
    return f'model_config_list {{ config {{ name: "m" base_path: "/models/m" {platform} {extra} }} }}'


TWIN = 'config { name: "m" base_path: "/m" model_platform: "tensorflow" }'


def test_model():
    assert read(one("")) == [ModelConfig("m", "/models/m", Latest(1), {})]


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("latest {}", Latest(1)),
        ("latest { num_versions: 0 }", Latest(1)),
        ("latest { num_versions: 2 }", Latest(2)),
        ("all {}", All()),
        ("specific { versions: 3 versions: 5 }", Specific(frozenset({3, 5}))),
    ],
)
def test_version_policies(text, policy):
    (model,) = read(one(f"model_version_policy {{ {text} }}"))
    assert model.policy == policy


def test_labels():
    (model,) = read(one('version_labels { key: "stable" value: 3 } version_labels { key: "canary" value: 4 }'))
    assert model.labels == {"stable": 3, "canary": 4}


def test_empty_file_lists_nothing():
    assert read("") == read("model_config_list {}") == []


def test_one_model_by_flags():
    assert model_config.models(model_config.single_model("m", "/m")) == [ModelConfig("m", "/m")]


@pytest.mark.parametrize(
    ("text", "where"),
    [("model_config_list {", "1:"), ("# fine so far\nmodel_config_lost {}", "2:1 : ")],
    ids=["cut short", "unknown field"],
)
def test_text_that_does_not_parse_is_refused_with_its_place(text, where):
    with pytest.raises(ModelConfigError) as error:
        model_config.parse(text)
    assert str(error.value).startswith(f"Error parsing text-format tensorflow.serving.ModelServerConfig: {where}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (one("").replace("config {", f"{TWIN} config {{"), "Illegal to list model m multiple times in config list"),
        (one("", platform=""), "Illegal setting neither ModelServerConfig::model_type (deprecated) nor"),
        (one("", platform='model_platform: "caffe"'), 'Model m has model_platform "caffe": only "tensorflow"'),
        (
            one("").replace("/models/m", "models/m"),
            "Expected model m to have an absolute path or URI; got base_path()=models/m",
        ),
    ],
    ids=["duplicate", "no platform", "other platform", "relative"],
)
def test_refusals(text, message):
    with pytest.raises(ServingError) as error:
        read(text)
    assert error.value.code.name == "INVALID_ARGUMENT"
    assert error.value.message.startswith(message)
