"""Loading and unloading versions: the engine, the warm-up that must pass, limits on concurrent loads."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from serving import metrics
from serving.errors import ServingError
from serving.models import warmup
from serving.models.servable import Servable


class Loader:
    """Loads and unloads versions, with limits on concurrent loads and unloads over all models; 0 sets no limit.

    TensorFlow Serving with 0 threads does both in its single manager thread, where a slow version blocks every other.
    Here each model has its own thread, and the limits save memory and cores when many models load at once.
    """

    def __init__(
        self,
        load_saved_model: Callable[[Path], Servable],
        warm_up: bool = True,
        load_threads: int = 0,
        unload_threads: int = 0,
    ) -> None:
        self._load_saved_model = load_saved_model
        self._warm_up = warm_up
        self._load_slots, self._unload_slots = _slots(load_threads), _slots(unload_threads)

    def load(self, path: Path) -> Servable:
        """Load the version in the folder ``path`` and run its warm-up requests.

        Raises:
            ServingError: it cannot be loaded, or a warm-up request fails.
        """
        with self._load_slots:
            with metrics.load_of(path):
                servable = self._load_saved_model(path)
            if self._warm_up:
                try:
                    with metrics.warmup_of(path):
                        warmup.run(servable, path)
                except ServingError:
                    servable.close()
                    raise
            return servable

    def unload(self, servable: Servable) -> None:
        """Free a version that no call uses."""
        with self._unload_slots:
            servable.close()


def _slots(count: int) -> AbstractContextManager[Any]:
    return threading.BoundedSemaphore(count) if count > 0 else nullcontext()
