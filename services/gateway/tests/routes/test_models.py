"""GET /models and /models/{model}."""

from gateway.serving_client.protocol import serving_pb2 as pb


def test_models_are_listed_with_the_default(make_gateway):
    client = make_gateway(models=("road", "shapes"), default_model="shapes")
    assert client.get("/models").json() == {"default": "shapes", "models": ["road", "shapes"]}


def test_list_without_models_is_empty(make_gateway):
    assert make_gateway(models=()).get("/models").json() == {"default": None, "models": []}


def test_unpublished_default_hides_no_model(make_gateway, tmp_path):
    config = tmp_path / "models.config"
    config.write_text('model_config_list { config { name: "road" base_path: "/models/road" } }')
    client = make_gateway(models=(), models_config=config, default_model="shapes")
    assert client.get("/models").json() == {"default": None, "models": ["road"]}


def test_model_details_come_from_its_card(client, card):
    found = client.get("/models/shapes").json()
    assert found["architecture"] == card.architecture
    assert (found["input_width"], found["input_height"]) == (64, 48)
    assert found["classes"][1] == {"id": 1, "name": "car", "color": [220, 60, 60], "background": False}
    assert found["classes"][0]["background"] is True
    assert found["metrics"]["miou"] == 0.9
    assert found["metrics"]["per_class_iou"]["fußgänger"] is None


def test_versions_and_states_come_from_serving(client, serving):
    serving.publish("shapes", 2, architecture="ddrnet39")
    serving.publish("shapes", 3)
    serving.states["shapes", 3] = (pb.ModelVersionStatus.LOADING, "")
    found = client.get("/models/shapes").json()
    assert [(v["version"], v["state"]) for v in found["versions"]] == [
        (3, "LOADING"),
        (2, "AVAILABLE"),
        (1, "AVAILABLE"),
    ]
    assert (found["version"], found["architecture"]) == (2, "ddrnet39")


def test_labels_come_from_models_config(make_gateway, serving, tmp_path):
    serving.publish("shapes", 2)
    config = tmp_path / "models.config"
    config.write_text(
        """model_config_list { config { name: "shapes" base_path: "/models/shapes"
        model_version_policy { specific { versions: 1 versions: 2 } }
        version_labels { key: "stable" value: 1 } version_labels { key: "first" value: 1 } } }"""
    )
    client = make_gateway(models=(), models_config=config)
    found = client.get("/models/shapes").json()["versions"]
    assert [(v["version"], v["labels"]) for v in found] == [(2, []), (1, ["first", "stable"])]


def test_model_without_a_loaded_version_has_the_reason(client, serving):
    serving.states["shapes", 1] = (pb.ModelVersionStatus.END, "no saved_model.pb")
    reply = client.get("/models/shapes")
    assert reply.status_code == 503
    assert "END no saved_model.pb" in reply.json()["error"]["message"]


def test_unknown_model_is_404(client):
    assert client.get("/models/road").status_code == 404
