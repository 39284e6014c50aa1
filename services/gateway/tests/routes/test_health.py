"""/livez and /readyz."""

from gateway.serving_client.protocol import serving_pb2 as pb


def test_livez_is_200_without_serving(client, serving):
    serving.stop()
    reply = client.get("/livez")
    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})


def test_readyz_is_200_when_the_default_model_is_loaded(client, serving):
    serving.publish("shapes", 2)
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready", "model": "shapes", "version": 2})


def test_readyz_is_503_while_the_model_loads(client, serving):
    serving.states["shapes", 1] = (pb.ModelVersionStatus.LOADING, "")
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")


def test_readyz_is_503_when_serving_lacks_the_model(make_gateway):
    reply = make_gateway(models=("road",)).get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")
    assert "road" in reply.json()["error"]["message"]
