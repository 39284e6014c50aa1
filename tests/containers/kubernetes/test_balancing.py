"""A headless Service as the gateway sees it: one name whose addresses change under load."""

import re
import socket
import struct
import threading

import httpx
import pytest

from segstack_testing.waiting import scaled

pytestmark = pytest.mark.containers

FIRST, SECOND = "127.0.0.2", "127.0.0.3"


class NameServer(threading.Thread):
    """DNS on a port of 127.0.0.1: every name has the IPv4 addresses ``addresses``, and no IPv6 address."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.addresses: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def run(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            end = query.index(b"\0", 12) + 5  # after the name: type and class
            addresses = self.addresses if query[end - 4 : end - 2] == struct.pack(">H", 1) else []
            flags = 0x8180 if self.addresses else 0x8183  # a reply; NXDOMAIN
            header = query[:2] + struct.pack(">HHHHH", flags, 1, len(addresses), 0, 0)
            # The queried name, A, IN, 5 s as in a cluster, 4 bytes.
            answers = [struct.pack(">HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(each) for each in addresses]
            self._socket.sendto(header + query[12:end] + b"".join(answers), client)


@pytest.fixture
def names() -> NameServer:
    server = NameServer()
    server.start()
    return server


@pytest.fixture
def answered(free_port, root):
    """Serving's flags, and ``answered(host)``: how many requests the server there answered; None without a server."""
    port = free_port()
    flags = [f"--rest_api_port={port}", f"--monitoring_config_file={root / 'services/serving/monitoring.config'}"]

    def answered(host: str) -> int | None:
        try:
            page = httpx.get(f"http://{host}:{port}/monitoring/prometheus/metrics", trust_env=False).text
        except httpx.TransportError:
            return None
        return sum(int(count) for count in re.findall(r'request_count\{.*"OK".*\} (\d+)', page))

    answered.flags = flags
    return answered


def test_new_pod_gets_requests_and_terminating_pod_gets_none_before_it_ends(
    build, names, answered, lay_road, small_models_root, photo, wait_for
):
    age = build("overlays/cpu").pod("serving").spec["containers"][0]["args"][-1].replace("30000", "2000")
    road = lay_road(small_models_root)

    def send_request() -> None:
        reply = road.segment(photo.read_bytes())
        assert reply.status_code == 200, reply.text

    def request_until(condition, what: str) -> None:
        wait_for(lambda: send_request() or condition(), what)

    def is_left(host: str) -> bool:
        before = answered(host)
        for _ in range(4):
            send_request()
        return answered(host) == before

    names.addresses = [FIRST]
    road.start_serving(f"--host={FIRST}", age, *answered.flags)
    first = road.serving
    road.serving_address = road.serving_address.replace("127.0.0.1", f"dns://127.0.0.1:{names.port}/serving")
    road.start_gateway()
    road.wait_until_ready()
    send_request()

    road.start_serving(f"--host={SECOND}", age, *answered.flags)
    request_until(lambda: answered(SECOND) is not None, "the second server")
    names.addresses = [FIRST, SECOND]
    request_until(lambda: answered(SECOND), "a request to the second")

    names.addresses = [SECOND]
    request_until(lambda: is_left(FIRST), "the first without requests")
    first.terminate()
    first.wait(scaled(20))
    for _ in range(4):
        send_request()
