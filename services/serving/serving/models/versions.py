"""The versions of one model and their states: START, LOADING, AVAILABLE, UNLOADING, END.

Each model has its own thread, so that a version that loads slowly, or fails and is retried, blocks no other model.
``aspire`` sets which versions should be served; a version is unloaded only when one of those is available, or when
none should be served.
"""

import contextlib
import enum
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from serving import memory
from serving.errors import ServingError, from_exception, not_found
from serving.models.servable import Servable

log = logging.getLogger(__name__)

_CLOSE_S = 2.0


class State(enum.IntEnum):
    """tensorflow.serving.ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class Retries:
    """How often a failed load is retried, and at what interval."""

    count: int
    interval_s: float


@dataclass
class Version:
    """One version, served or not."""

    number: int
    path: Path
    state: State = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    calls: int = 0
    failed_loads: int = 0
    retry_at: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether it is available or has ended, so that its state will not change on its own."""
        return self.state in (State.AVAILABLE, State.END)


class Versions:
    """The versions of the model ``name``; ``load`` makes a servable of a version folder, ``unload`` frees one."""

    def __init__(
        self, name: str, load: Callable[[Path], Servable], unload: Callable[[Servable], None], retries: Retries
    ) -> None:
        self.name = name
        self._load = load
        self._unload = unload
        self._retries = retries
        self._versions: dict[int, Version] = {}
        self._aspired: set[int] = set()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"versions-{name}", daemon=True)
        self._thread.start()

    def aspire(self, paths: Mapping[int, Path]) -> None:
        """Set which versions should be served from now on, with their folders; return at once.

        A failed version is not retried while it remains among them.
        """
        with self._changed:
            for number, path in paths.items():
                known = self._versions.get(number)
                failed_here = known is not None and known.error is not None and number in self._aspired
                if known is None or (known.state is State.END and not failed_here):
                    self._versions[number] = Version(number, path)
            self._aspired = set(paths)
            self._changed.notify_all()

    @contextlib.contextmanager
    def use(self, number: int | None) -> Iterator[tuple[int, Servable]]:
        """A version's number and servable, kept loaded until the block ends; None selects the newest available.

        Raises:
            ServingError: NOT_FOUND if the version is not available.
        """
        with self._changed:
            if number is None:
                number = max((v.number for v in self._versions.values() if v.state is State.AVAILABLE), default=None)
                request = f"Latest({self.name})"
            else:
                request = f"Specific({self.name}, {number})"
            version = self._versions.get(number) if number is not None else None
            if version is None or version.state is not State.AVAILABLE or version.servable is None:
                raise not_found(f"Servable not found for request: {request}")
            version.calls += 1
        try:
            yield version.number, version.servable
        finally:
            with self._changed:
                version.calls -= 1
                self._changed.notify_all()

    def snapshot(self) -> list[tuple[int, State, ServingError | None]]:
        """Number, state and error of every version ever seen, the highest first."""
        with self._changed:
            versions = sorted(self._versions.values(), key=lambda version: version.number, reverse=True)
            return [(version.number, version.state, version.error) for version in versions]

    def wait_until_settled(self, timeout_s: float) -> bool:
        """Wait until there are versions to serve, each available or ended; False after ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self._aspired) and all(self._versions[number].settled for number in self._aspired),
                timeout_s,
            )

    def close(self) -> None:
        """Unload every version once its calls have ended; do not wait for slow loads or calls."""
        with self._changed:
            self._closing = True
            self._aspired = set()
            self._changed.notify_all()
        self._thread.join(_CLOSE_S)

    def _work(self) -> None:
        while True:
            with self._changed:
                while (step := self._next_step()) is None:
                    if self._closing:
                        return
                    self._changed.wait(self._seconds_to_next_retry())
                version, action = step
            action(version)

    def _next_step(self) -> tuple[Version, Callable[[Version], None]] | None:
        """The next version to act on: first the highest one to load, then the lowest one to unload."""
        now = time.monotonic()
        for number in sorted(self._aspired, reverse=True):
            version = self._versions[number]
            if version.state in (State.START, State.LOADING) and version.retry_at <= now:
                return version, self._bring_up
        for number in sorted(set(self._versions) - self._aspired):
            version = self._versions[number]
            if version.state in (State.START, State.LOADING):
                return version, self._give_up
            if version.state is State.AVAILABLE and self._may_drop():
                return version, self._take_down
        return None

    def _may_drop(self) -> bool:
        return not self._aspired or any(self._versions[number].state is State.AVAILABLE for number in self._aspired)

    def _seconds_to_next_retry(self) -> float | None:
        waiting = [self._versions[n].retry_at for n in self._aspired if self._versions[n].state is State.LOADING]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _bring_up(self, version: Version) -> None:
        self._set(version, State.LOADING)
        started = time.monotonic()
        servable = self._loaded(version.path)
        if isinstance(servable, ServingError):
            memory.reclaim()
            self._load_failed(version, servable)
            return
        version.servable = servable
        log.info("%s version %d loaded in %.1f s", self.name, version.number, time.monotonic() - started)
        self._set(version, State.AVAILABLE)

    def _loaded(self, path: Path) -> Servable | ServingError:
        try:
            return self._load(path)
        except Exception as error:
            status = from_exception(error)
            # A new error: the frames of the original's traceback would keep what had been loaded.
            return ServingError(status.code, status.message)

    def _load_failed(self, version: Version, error: ServingError) -> None:
        version.failed_loads += 1
        tries_left = self._retries.count + 1 - version.failed_loads
        log.error("%s version %d cannot be loaded: %s", self.name, version.number, error)
        if tries_left <= 0:
            self._set(version, State.END, error)
            return
        log.info("%s version %d: next attempt in %g s", self.name, version.number, self._retries.interval_s)
        version.retry_at = time.monotonic() + self._retries.interval_s

    def _give_up(self, version: Version) -> None:
        cancelled = ServingError(grpc.StatusCode.CANCELLED, "No longer to be served")
        self._set(version, State.END, cancelled if version.failed_loads else None)

    def _take_down(self, version: Version) -> None:
        self._set(version, State.UNLOADING)
        with self._changed:
            self._changed.wait_for(lambda: version.calls == 0)
        servable, version.servable = version.servable, None
        if servable is not None:
            self._unload(servable)
            del servable
            memory.reclaim()
        log.info("%s version %d unloaded", self.name, version.number)
        self._set(version, State.END)

    def _set(self, version: Version, state: State, error: ServingError | None = None) -> None:
        with self._changed:
            version.state, version.error = state, error
            self._changed.notify_all()
