"""/livez, /readyz and /metrics."""

from gateway.protocol import serving_pb2 as pb


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


def test_not_ready_when_serving_does_not_know_it(make_client):
    reply = make_client(models=("road",)).get("/readyz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_unavailable")
    assert "road" in reply.json()["error"]["message"]


def test_metrics_count_by_route_template_and_status(client, jpeg):
    client.post("/segment?output=color", content=jpeg)
    client.post("/segment", content=b"no image")
    client.get("/models/shapes")
    client.get("/models/road")
    client.get("/no/such/page")
    text = client.get("/metrics").text
    for method, route, status in (
        ("POST", "/segment", 200),
        ("POST", "/segment", 415),
        ("GET", "/models/{model}", 200),
        ("GET", "/models/{model}", 404),
        ("GET", "other", 404),
    ):
        labels = f'method="{method}",route="{route}",status="{status}"'
        assert f"segstack_gateway_requests_total{{{labels}}} 1.0" in text
    for stage in ("decode", "queue", "infer", "encode"):
        assert f'segstack_gateway_stage_seconds_count{{stage="{stage}"}} 1.0' in text
    assert "segstack_gateway_in_flight 0.0" in text
    assert "no/such/page" not in text
