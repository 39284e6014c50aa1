"""How a version becomes a servable and goes again: the engine, the warm-up as its gate, so many at a time."""

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
    """Loads and unloads versions, over all models at most so many at the same time; 0 sets no limit.

    TensorFlow Serving with 0 threads does both in its one manager thread, where a slow version holds up every other;
    here each model has a thread of its own, and the limits save memory and cores where many models load at once.
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
        """Load the version in the folder ``path`` and let it answer its own warm-up requests.

        Raises:
            ServingError: it cannot be loaded, or does not answer them.
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
        """Free a version that no call uses any more."""
        with self._unload_slots:
            servable.close()


def _slots(count: int) -> AbstractContextManager[Any]:
    return threading.BoundedSemaphore(count) if count > 0 else nullcontext()
