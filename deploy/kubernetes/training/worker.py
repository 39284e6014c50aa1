"""Become one worker of a training on several machines: set TF_CONFIG, then run ``segstack train``.

Kubernetes gives each pod of an Indexed Job its number in JOB_COMPLETION_INDEX; WORKERS is the number of workers, and
WORKER_NAMES the address of worker ``{index}``. The arguments are those of ``segstack train``. If the run folder has a
saved state, as it has in pods that replace lost ones, the training resumes from it; if the chief was lost before the
first saved state, the training starts again.
"""

import argparse
import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path

PATIENCE_SECONDS = 3600  # images of gigabytes arrive at the machines at different times


def tf_config() -> str:
    """TF_CONFIG of this worker."""
    names = os.environ["WORKER_NAMES"]
    workers = [names.format(index=index) for index in range(int(os.environ["WORKERS"]))]
    index = int(os.environ["JOB_COMPLETION_INDEX"])
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def trainer_words(options: list[str]) -> list[str]:
    """The trainer's command line: ``--resume RUN`` in place of ``--config … --run RUN`` where RUN has a saved state."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--run", type=Path, required=True)
    known, others = parser.parse_known_args(options)
    if any(known.run.glob("state/step-*.npz")):
        return ["train", f"--resume={known.run}", *others]
    if os.environ["JOB_COMPLETION_INDEX"] == "0":
        remove_false_start(known.run)
    return ["train", *options]


def remove_false_start(run: Path) -> None:
    """Remove a run without state or weights, as the chief does unless it is killed: a new run needs a free folder."""
    if (run / "recipe.yaml").is_file() and not any(run.glob("*.keras")):
        print(f"worker: {run} ended before its state was first saved; it starts again", file=sys.stderr)
        shutil.rmtree(run)


def wait_for_workers(addresses: list[str]) -> None:
    """Wait until every worker's name is known, which is when its container runs.

    Raises:
        SystemExit: one is not after an hour.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    for host, port in (address.rsplit(":", 1) for address in addresses):
        if not is_known(host, port):
            print(f"worker: waiting for {host}", file=sys.stderr, flush=True)
        while not is_known(host, port):
            if time.monotonic() > give_up_at:
                sys.exit(f"worker: {host} has no address after an hour: has its pod been scheduled?")
            time.sleep(2)


def is_known(host: str, port: str) -> bool:
    """Whether the name has an address."""
    try:
        socket.getaddrinfo(host, port)
    except socket.gaierror:
        return False
    return True


if __name__ == "__main__":
    os.environ["TF_CONFIG"] = tf_config()
    wait_for_workers(json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"])
    os.execv(sys.executable, [sys.executable, "-m", "trainer", *trainer_words(sys.argv[1:])])  # noqa: S606
