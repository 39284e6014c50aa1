"""Faults of serving: each gives its documented error, and the next request succeeds."""

import grpc
import pytest

from gateway.serving_client.protocol import serving_pb2 as pb
from segstack_testing.waiting import wait_until


def aborts(code, details="scripted"):
    def script(serving, gate, monkeypatch):
        serving.before_predict = lambda request, context: context.abort(code, details)

    return script


def is_slow(serving, gate, monkeypatch):
    serving.before_predict = lambda request, context: gate.wait(30)


def dies_during_the_call(serving, gate, monkeypatch):
    def die(request, context):
        serving.hang_up()
        gate.wait(30)

    serving.before_predict = die


def answers_in_another_shape(serving, gate, monkeypatch):
    def transpose(reply):
        dims = reply.outputs["mask"].tensor_shape.dim
        dims[1].size, dims[2].size = dims[2].size, dims[1].size

    serving.change_mask = transpose


def answers_in_another_dtype(serving, gate, monkeypatch):
    def retype(reply):
        reply.outputs["mask"].dtype = pb.DT_INT64

    serving.change_mask = retype


def answers_more_than_a_message_may_hold(serving, gate, monkeypatch):
    def pad(reply):
        reply.outputs["mask"].tensor_content = bytes(2**20)

    monkeypatch.setattr("gateway.serving_client.replicas._OPTIONS", (("grpc.max_receive_message_length", 2**20),))
    serving.change_mask = pad


FAULTS = [
    (is_slow, 504, "deadline_exceeded"),
    (aborts(grpc.StatusCode.DEADLINE_EXCEEDED), 504, "deadline_exceeded"),
    (aborts(grpc.StatusCode.UNAVAILABLE), 503, "serving_unavailable"),
    (aborts(grpc.StatusCode.RESOURCE_EXHAUSTED), 503, "serving_unavailable"),
    (aborts(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max"), 502, "bad_serving_reply"),
    (dies_during_the_call, 503, "serving_unavailable"),
    (answers_in_another_shape, 502, "bad_serving_reply"),
    (answers_in_another_dtype, 502, "bad_serving_reply"),
    (answers_more_than_a_message_may_hold, 502, "bad_serving_reply"),
    (aborts(grpc.StatusCode.INVALID_ARGUMENT), 502, "bad_serving_reply"),
    (aborts(grpc.StatusCode.INTERNAL), 502, "bad_serving_reply"),
    (aborts(grpc.StatusCode.UNIMPLEMENTED), 502, "bad_serving_reply"),
]


@pytest.mark.parametrize(("fault", "status", "code"), FAULTS)
def test_fault_has_its_documented_error_and_the_next_request_succeeds(
    make_gateway, serving, jpeg, gate, monkeypatch, fault, status, code
):
    fault(serving, gate, monkeypatch)
    # On a loaded machine too, only slowness must exceed the deadline.
    client = make_gateway(deadline_ms=500 if fault is is_slow else 10_000)
    reply = client.post("/segment", content=jpeg)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert ("Retry-After" in reply.headers) == (status == 503)

    gate.set()
    serving.before_predict = lambda request, context: None
    serving.change_mask = lambda reply: None
    serving.stop()
    serving.start()
    wait_until(lambda: client.post("/segment", content=jpeg).status_code == 200)
