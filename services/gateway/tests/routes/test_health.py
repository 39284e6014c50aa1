"""/livez and /readyz."""

from gateway.serving_client.protocol import serving_pb2 as pb


def test_alive_whatever_serving_does(client, serving):
    serving.stop()
    reply = client.get("/livez")
    assert (reply.status_code, reply.json()) == (200, {"status": "alive"})


def test_ready_when_the_default_model_is_available(client, serving):
    serving.publish("shapes", 2)
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready", "model": "shapes", "version": 2})


def test_not_ready_while_it_loads(client, serving):
    serving.states["shapes", 1] = (pb.ModelVersionStatus.LOADING, "")
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")


def test_not_ready_when_serving_does_not_know_it(make_gateway):
    reply = make_gateway(models=("road",)).get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")
    assert "road" in reply.json()["error"]["message"]
