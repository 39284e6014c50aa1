"""Ten times the gateway's capacity for a minute: what clients see, what it costs, and how soon it recovers.

    .venv/bin/python -m benchmarks.gateway_overload [--seconds 60]

ddrnet23_slim at 480x640 through the gateway and embedded serving (OpenVINO f32), as in benchmarks.gateway. First
eight clients measure its capacity in images/s; then requests arrive at ten times that rate, regardless of replies.
Exits 1 unless every reply is 200, or 429 or 503 with Retry-After; the 99th percentile of the accepted requests is
within the deadline; the gateway's resident memory stays at the level of the first quarter; and two seconds later it
is as fast as before.

Measured on two cores: 22.0 images/s before; of 11,731 requests in 60 s 1,223 were answered and 10,508 got 429; p99 of
the accepted 1,975 ms; 150 MiB resident in the first quarter, 152 later; 1.06 of the speed before, 2 s after.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import threading
from pathlib import Path

import cv2

from benchmarks import gateway, serving

CLIENTS = 8
OVERLOAD = 10
CALLERS = 200  # four times as many as may wait for a reply, to keep up the rate
REST_S = 2
DEADLINE_MS = 10_000
MEMORY_GROWTH, SPEED_LEFT = 1.05, 0.9


def resident_mib(pid: int) -> float:
    """Resident MiB of a process, from Linux's /proc."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def overload(arguments: list[str], pid: int, rate: float, seconds: float) -> bool:
    """Whether the gateway withstands the overload."""
    memory: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(seconds / 60):
            memory.append(resident_mib(pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        done = gateway.load([*arguments, f"--rate={rate}"], CALLERS, seconds)
    finally:
        over.set()
        sampler.join()
    statuses = {int(status): count for status, count in done["statuses"].items()}
    sent, answered = sum(statuses.values()), statuses.get(200, 0)
    p99_ms = 1000 * statistics.quantiles(done["latencies"], n=100, method="inclusive")[98]
    quarter = len(memory) // 4
    early, late = max(memory[:quarter]), max(memory[quarter:])
    print(f"sent {sent / done['seconds']:.0f} requests/s, answered {answered / done['seconds']:.1f} images/s")
    checks = {
        f"statuses {statuses}: only 200, and 429 or 503 with Retry-After": set(statuses) <= {200, 429, 503},
        f"p99 of the accepted {p99_ms:.0f} ms: at most the deadline, {DEADLINE_MS} ms": p99_ms <= DEADLINE_MS,
        f"resident {early:.0f} MiB in the first quarter, {late:.0f} MiB later: at most {MEMORY_GROWTH - 1:.0%} more": (
            late <= MEMORY_GROWTH * early
        ),
    }
    for words, good in checks.items():
        print(f"{words}{'' if good else '  MISSED'}")
    return all(checks.values())


def images_per_s(arguments: list[str], seconds: float) -> float:
    """Images/s of eight clients that wait for each reply."""
    done = gateway.load(arguments, CLIENTS, seconds)
    return len(done["latencies"]) / float(done["seconds"])


def main() -> int:
    """Measure and print; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    gateway.settle()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), gateway.free_port()
        serving.publish(folder)
        photo, log = folder / "photo.jpg", folder / "gateway.log"
        photo.write_bytes(cv2.imencode(".jpg", serving.smooth_images()[0][0][:, :, ::-1])[1].tobytes())
        with contextlib.ExitStack() as stack:
            settings = {
                "GATEWAY_PORT": str(port),
                "GATEWAY_SERVING_ADDRESS": stack.enter_context(serving.serving_process(folder, "openvino", "f32")),
                "GATEWAY_MODELS": "bench",
                "GATEWAY_DEADLINE_MS": str(DEADLINE_MS),
            }
            pid = stack.enter_context(gateway.running([sys.executable, "-m", "gateway"], log, settings))
            gateway.wait_until_it_answers(f"127.0.0.1:{port}", photo, "image/jpeg", log)
            arguments = ["http", f"127.0.0.1:{port}", f"--body={photo}"]
            images_per_s(arguments, 2)  # warm
            before = images_per_s(arguments, min(10, seconds))
            print(f"before: {before:.1f} images/s")
            kept = overload(arguments, pid, OVERLOAD * before, seconds)
            threading.Event().wait(REST_S)
            after = images_per_s(arguments, min(10, seconds))
            fast = after >= SPEED_LEFT * before
            print(
                f"{REST_S} s after: {after:.1f} images/s, {after / before:.2f} of before: "
                f"at least {SPEED_LEFT}{'' if fast else '  MISSED'}"
            )
    return int(not (kept and fast))


if __name__ == "__main__":
    sys.exit(main())
