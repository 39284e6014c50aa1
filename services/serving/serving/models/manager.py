"""The served models: the current configuration, polling for new versions, labels, and the look-up of servables."""

import contextlib
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from contract.serving_config.version_policy import Policy
from serving.errors import ServingError, failed_precondition, invalid_argument, not_found
from serving.models import model_config
from serving.models.model_config import ModelConfig
from serving.models.servable import Servable
from serving.models.versions import Retries, State, Versions

log = logging.getLogger(__name__)

# How often a wait for models checks whether it was cancelled.
_CANCEL_POLL_S = 0.1

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Options:
    """How versions are found and loaded; ``local_path`` maps a base path to a folder of this machine."""

    load: Callable[[Path], Servable]
    local_path: Callable[[str], Path]
    retries: Retries
    poll_wait_s: float
    labels_may_run_ahead: bool = False
    unload: Callable[[Servable], None] = Servable.close


class Manager:
    """Serves the models of its configuration, and follows changes in their folders."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._models: dict[str, Versions] = {}
        self._config: dict[str, ModelConfig] | None = None
        self._labels: Mapping[tuple[str, str], int] = {}
        self._reloading = threading.Lock()
        self._polling = threading.Lock()
        self._reported_missing: set[str] = set()
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll_forever, name="version-folders", daemon=True)
        if options.poll_wait_s > 0:
            self._poller.start()

    def reload(self, message: Any, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Serve exactly the models of the ``ModelServerConfig``; wait until new models have loaded.

        A message without a list changes nothing. Labels are assigned last: if one is refused, the previous ones stay.

        Raises:
            ServingError: the configuration is refused, a new model has no version that loads, a label points at a
                version that is not served, or CANCELLED.
        """
        with self._reloading:
            if message.WhichOneof("config") != "model_config_list":
                if self._config is not None:
                    raise failed_precondition(
                        "Cannot transition to requested config. It is only legal to transition from one "
                        "ModelConfigList to another."
                    )
                return
            config = {model.name: model for model in model_config.models(message)}
            new = [name for name in config if self._config is None or name not in self._config]
            with self._polling:
                self._config = config
            self.poll()
            self._wait_until_available(new, cancelled)
            self._labels = self._checked_labels(config)

    def poll(self) -> None:
        """Look for versions on disk and set which ones each model should serve; return at once."""
        with self._polling:
            config = self._config or {}
            for name in config.keys() - self._models.keys():
                self._models[name] = Versions(name, self._options.load, self._options.unload, self._options.retries)
            for name, versions in self._models.items():
                if name not in config:
                    versions.aspire({})
                    continue
                base_path = self._options.local_path(config[name].base_path)
                found = find_versions(base_path)
                if found is None:
                    self._report_missing(name, f"Could not find base path {base_path} for servable {name}")
                    continue
                aspired = select_versions(found, config[name].policy)
                if aspired:
                    self._reported_missing.discard(name)
                else:
                    self._report_missing(name, f"No versions of servable {name} found under base path {base_path}")
                versions.aspire(aspired)

    @contextlib.contextmanager
    def use(self, model_spec: Any) -> Iterator[tuple[int, Servable]]:
        """The version and servable that a ``ModelSpec`` names by number or label, by default the newest.

        Raises:
            ServingError: INVALID_ARGUMENT without a name or with an unknown label, NOT_FOUND if it is not served.
        """
        if not model_spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        number = None
        choice = model_spec.WhichOneof("version_choice")
        if choice == "version":
            number = model_spec.version.value
        elif choice == "version_label":
            number = self._labels.get((model_spec.name, model_spec.version_label))
            if number is None:
                raise invalid_argument(f"Unrecognized servable version label: {model_spec.version_label}")
        versions = self._models.get(model_spec.name)
        if versions is None:
            request = f"Latest({model_spec.name})" if number is None else f"Specific({model_spec.name}, {number})"
            raise not_found(f"Servable not found for request: {request}")
        with versions.use(number) as used:
            yield used

    def is_known(self, name: str) -> bool:
        """Whether the model has or had a version."""
        return bool(self.snapshot(name))

    def version_states(self) -> dict[tuple[str, ...], int]:
        """How many versions of each model are in each state, by model name and state name."""
        return Counter((name, state.name) for name in sorted(self._models) for _, state, _ in self.snapshot(name))

    def snapshot(self, name: str) -> list[tuple[int, State, ServingError | None]]:
        """Number, state and error of every version of a model ever seen, the highest first."""
        versions = self._models.get(name)
        return versions.snapshot() if versions else []

    def close(self) -> None:
        """Stop polling and unload everything, once the running calls have ended."""
        self._stop.set()
        if self._poller.is_alive():
            self._poller.join()
        for versions in self._models.values():
            versions.close()

    def _poll_forever(self) -> None:
        while not self._stop.wait(self._options.poll_wait_s):
            self.poll()

    def _report_missing(self, name: str, what: str) -> None:
        if name not in self._reported_missing:
            self._reported_missing.add(name)
            log.warning("%s: waiting for a first <version>/saved_model.pb, or keeping what is loaded", what)

    def _wait_until_available(self, names: list[str], cancelled: Callable[[], bool]) -> None:
        failed = []
        for name in names:
            versions = self._models[name]
            while not versions.wait_until_settled(_CANCEL_POLL_S):
                if self._stop.is_set() or cancelled():
                    raise ServingError(grpc.StatusCode.CANCELLED, f"Stopped waiting for model {name} to load")
            states = versions.snapshot()
            if not any(state is State.AVAILABLE for _, state, _ in states):
                number, _, error = states[0]
                failed.append(f"{{{{name: {name} version: {number}}} due to error: {error}}}, ")
        if failed:
            raise ServingError(
                grpc.StatusCode.UNKNOWN,
                f"{len(failed)} servable(s) did not become available: {{{''.join(failed)}}}",
            )

    def _checked_labels(self, config: Mapping[str, ModelConfig]) -> dict[tuple[str, str], int]:
        labels = {}
        for model in config.values():
            available = {number for number, state, _ in self.snapshot(model.name) if state is State.AVAILABLE}
            for label, number in model.labels.items():
                # Before its version is loaded a label may only be set, not moved, which would break requests by label.
                moves = self._labels.get((model.name, label), number) != number
                if number not in available and (moves or not self._options.labels_may_run_ahead):
                    raise failed_precondition(
                        f"Request to assign label to version {number} of model {model.name}, "
                        "which is not currently available for inference"
                    )
                labels[model.name, label] = number
        return labels


def parse_version(name: str) -> int | None:
    """The version of a folder name: a decimal int64 (``7``, ``007``), or None for any other name."""
    if _INTEGER.fullmatch(name) and int(name) in _INT64:
        return int(name)
    return None


def find_versions(base_path: Path) -> dict[int, Path] | None:
    """The version folders in ``base_path``; None if it does not exist, in which case nothing is unloaded.

    Other names (``.tmp-5``, ``latest``) are ignored. Of two names of one version (``7``, ``007``) the last in
    alphabetical order counts.
    """
    try:
        children = sorted(base_path.iterdir())
    except OSError:
        return None
    return {version: child for child in children if (version := parse_version(child.name)) is not None}


def select_versions(found: Mapping[int, Path], policy: Policy) -> dict[int, Path]:
    """The versions that should be served, of those found."""
    return {version: found[version] for version in policy.loads(found)}
