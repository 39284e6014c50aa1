"""Contenders that take turns, in this process and in others, so that a busy moment affects all of them equally."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from trainer.progress import progress

Contender = Callable[[], float]  # calls once, answers in milliseconds


class Peer:
    """A process in a separate environment, which calls a contender for each line on its standard input."""

    def __init__(self, python: Path, script: Path, *words: object, spins: bool = False) -> None:
        """``spins``: whether OpenMP's threads wait as they do by default, turning for some milliseconds, or asleep."""
        command = [str(python), str(script), *map(str, words)]
        environment = {**os.environ, **({} if spins else {"OMP_WAIT_POLICY": "PASSIVE"})}
        self._script = script
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.versions = json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._script.name} ended: see its output above")
        return line

    def contender(self, name: str) -> Contender:
        """One of those that the script knows."""

        def call() -> float:
            assert self._process.stdin
            self._process.stdin.write(f"{name}\n")
            self._process.stdin.flush()
            return float(self._line())

        return call

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Milliseconds per contender and round, timed on the second of two calls; the order rotates by one per round."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    with progress(range(rounds), "measuring", "round") as bar:
        for round_ in bar:
            for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
                contenders[name]()
                taken[name].append(contenders[name]())
    return taken
