"""Shutdown: /readyz turns 503, new connections are refused, and requests at work are finished."""

import signal

import httpx

from segstack_testing.waiting import wait_until


def test_sigterm_finishes_requests_at_work(run_gateway, serving, jpeg, gate, submit):
    with run_gateway() as running:
        assert running.client.post("/segment", content=jpeg).status_code == 200
        known = len(serving.predictions)
        serving.before_predict = lambda request, context: gate.wait(30)
        at_work = submit(httpx.post, f"{running.client.base_url}/segment", content=jpeg, timeout=30, trust_env=False)
        wait_until(lambda: len(serving.predictions) > known)

        running.process.send_signal(signal.SIGTERM)
        wait_until(running.is_closed)
        assert running.process.poll() is None
        gate.set()
        assert at_work.result(30).status_code == 200
        assert running.process.wait(30) == 0


def test_readyz_is_503_during_the_shutdown_delay(run_gateway, jpeg):
    with run_gateway(shutdown_delay_ms=600_000) as running:
        assert running.client.get("/readyz").status_code == 200
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: running.client.get("/readyz").status_code == 503)
        assert running.client.get("/readyz").json()["error"]["code"] == "shutting_down"
        assert running.client.post("/segment", content=jpeg).status_code == 200
        running.process.kill()
