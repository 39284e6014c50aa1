"""Which models there are: from the settings, or from the file that serving polls; TensorFlow Serving lists none."""

import logging
from pathlib import Path

from contract.serving_config.models_config import ModelsConfigError, in_force, model_names, models
from gateway.errors import NoModel, UnknownModel
from gateway.settings import Settings

_log = logging.getLogger(__name__)

_HOW_TO_GET_ONE = "`make demo` trains and publishes one in a few minutes"


class Catalog:
    """The configured models, in order."""

    def __init__(self, settings: Settings) -> None:
        self._names = settings.models
        self._config = settings.models_config
        self._default = settings.default_model
        self._read_at: int | None = None

    def names(self) -> tuple[str, ...]:
        """The models' names; models.config is read again after it changes."""
        if self._config is not None:
            self._refresh(in_force(self._config))
        return self._names

    def default(self) -> str:
        """The model of requests that name none.

        Raises:
            NoModel: no model is published.
            UnknownModel: GATEWAY_DEFAULT_MODEL is not among them.
        """
        return self.resolve(None)

    def is_default(self, name: str) -> bool:
        """Whether ``name`` is the model of requests that name none; False if that model is missing."""
        names = self.names()
        return name in names and name == (self._default or names[0])

    def resolve(self, name: str | None) -> str:
        """``name`` if it is a model; the default model for None.

        Raises:
            NoModel: no model is published.
            UnknownModel: no model has that name.
        """
        names = self.names()
        if not names:
            if self._config:
                raise NoModel(f"no model yet: {self._config} lists none; {_HOW_TO_GET_ONE}")
            raise NoModel(
                "no model yet: GATEWAY_MODELS names none; set it, or GATEWAY_MODELS_CONFIG as `make gateway` does"
            )
        wanted = name or self._default or names[0]
        if wanted not in names:
            raise UnknownModel(
                f"model {wanted!r} not found; published models: {', '.join(names)}",
                model=wanted,
                available=list(names),
            )
        return wanted

    def labels(self, name: str) -> dict[int, list[str]]:
        """The labels of ``name``'s versions, by version; empty without models.config, which alone lists them."""
        found: dict[int, list[str]] = {}
        if self._config is not None:
            try:
                listed = models(in_force(self._config)).get(name)
            except (ModelsConfigError, OSError):
                return found
            for label, version in sorted(listed.labels.items()) if listed else ():
                found.setdefault(version, []).append(label)
        return found

    def _refresh(self, config: Path) -> None:
        try:
            changed_at = config.stat().st_mtime_ns
        except FileNotFoundError:
            self._names, self._read_at = (), None
            return
        if changed_at == self._read_at:
            return
        self._read_at = changed_at
        try:
            self._names = tuple(model_names(config))
        except ModelsConfigError as error:
            # Serving keeps its models, too.
            _log.warning("the models of before are kept: %s", error)
