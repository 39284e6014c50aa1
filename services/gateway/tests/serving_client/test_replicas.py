"""Several serving addresses: used round-robin, skipped while unreachable, and what is never retried."""

import grpc
import pytest

from segstack_testing.waiting import wait_until


@pytest.fixture
def two(serving, make_serving):
    """Two servers with the same model."""
    return serving, make_serving()


@pytest.fixture
def client(make_gateway, two):
    return make_gateway(serving_address=tuple(replica.address for replica in two))


def masks_made(replica):
    return [request.model_spec.signature_name for request in replica.predictions].count("serving_default")


def test_requests_are_spread_over_replicas_in_turn(client, two, jpeg):
    def both_are_connected():
        assert client.post("/segment", content=jpeg).status_code == 200
        return all(masks_made(replica) for replica in two)

    wait_until(both_are_connected)
    before = [masks_made(replica) for replica in two]
    for _ in range(6):
        assert client.post("/segment", content=jpeg).status_code == 200
    assert [masks_made(replica) - earlier for replica, earlier in zip(two, before, strict=True)] == [3, 3]


def test_unreachable_replica_is_skipped_until_it_is_back(client, two, jpeg):
    first, second = two
    wait_until(lambda: client.post("/segment", content=jpeg).status_code == 200 and masks_made(second) > 0)
    first.stop()
    # One request may meet the closed connection; from then on none fails.
    wait_until(lambda: client.post("/segment", content=jpeg).status_code == 200)
    assert [client.post("/segment", content=jpeg).status_code for _ in range(8)] == [200] * 8

    first.start()
    before = masks_made(first)
    wait_until(lambda: client.post("/segment", content=jpeg).status_code == 200 and masks_made(first) > before)


def test_replica_that_never_answered_fails_no_request(make_gateway, serving, unused_address, jpeg):
    client = make_gateway(serving_address=(unused_address, serving.address))
    assert [client.post("/segment", content=jpeg).status_code for _ in range(6)] == [200] * 6


def test_error_without_any_replica_names_all_addresses(make_gateway, unused_address, jpeg):
    client = make_gateway(serving_address=(unused_address, unused_address.replace("127.0.0.1", "localhost")))
    reply = client.post("/segment", content=jpeg)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "serving_unavailable")
    assert f"{unused_address}, localhost:" in reply.json()["error"]["message"]


def test_request_that_reached_a_replica_is_not_retried_on_another(client, two, jpeg):
    """A request that brought one replica down could bring down the next."""
    assert client.post("/segment", content=jpeg).status_code == 200

    def refuse(request, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    for replica in two:
        replica.before_predict = refuse
    before = sum(len(replica.predictions) for replica in two)
    assert client.post("/segment", content=jpeg).status_code == 503
    assert sum(len(replica.predictions) for replica in two) == before + 1
