"""More callers than places: the surplus gets 429, the others are answered, and nothing is left behind."""

from collections import Counter

import httpx

from segstack_testing.gateways import metric
from segstack_testing.waiting import scaled, wait_until


def test_callers_beyond_the_limit_get_429_and_the_others_200(make_gateway, jpeg, submit):
    client = make_gateway(max_in_flight=2, max_waiting=4)
    url = f"{client.base_url}/segment"
    answers: list[httpx.Response] = []

    def caller():
        with httpx.Client(timeout=30, trust_env=False) as own:
            for _ in range(12):
                answers.append(own.post(url, content=jpeg))

    for loop in [submit(caller) for _ in range(24)]:
        loop.result(scaled(30))

    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 429)
    assert client.post("/segment", content=jpeg).status_code == 200
    # A place is freed a moment after the reply.
    wait_until(lambda: metric(client, "segstack_gateway_entered") == metric(client, "segstack_gateway_in_flight") == 0)
