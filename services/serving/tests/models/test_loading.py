"""Loading and unloading: the warm-up must pass, and concurrency is limited."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.errors import ServingError
from serving.models.loading import Loader
from serving.models.servable import Servable

X = np.zeros(1, np.float32)


class Crowd:
    """Counts concurrent callers, and releases none before two have met."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pair = threading.Barrier(2, timeout=30)
        self._inside = 0
        self.most = 0

    def __call__(self, *_):
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._pair.wait()
        with self._lock:
            self._inside -= 1

    close = __call__


def test_version_that_answers_its_warmup_is_returned(publish, predict_request):
    loader = Loader(Servable)
    servable = loader.load(publish("m", 1, warmup=[predict_request("m", x=X)]))
    assert "serving_default" in servable.signatures
    loader.unload(servable)


def test_version_that_fails_its_warmup_is_closed_and_refused(publish, predict_request):
    path = publish("m", 1, warmup=[predict_request("m", z=X)])
    closed = []

    class Watched(Servable):
        def close(self):
            closed.append(self)
            super().close()

    with pytest.raises(ServingError, match="input tensor alias not found"):
        Loader(Watched).load(path)
    assert len(closed) == 1
    without = Loader(Watched, warm_up=False)
    without.unload(without.load(path))


def test_concurrent_loads_are_limited(tmp_path):
    crowd = Crowd()
    loader = Loader(crowd, warm_up=False, load_threads=2)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(loader.load, [tmp_path] * 6))
    assert crowd.most == 2


def test_concurrent_unloads_are_limited():
    crowd = Crowd()
    loader = Loader(Servable, unload_threads=2)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(loader.unload, [crowd] * 6))
    assert crowd.most == 2


def test_without_a_limit_each_model_loads_by_itself(tmp_path):
    crowd = Crowd()
    loader = Loader(crowd, warm_up=False)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(loader.load, [tmp_path] * 2))
    assert crowd.most == 2
