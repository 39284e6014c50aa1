import numpy as np

from contract import signatures
from converter.interface import interface_of
from converter.proof.latency import measure


class Model:
    """Records its calls and their batch sizes."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def run(self, signature, feeds):
        assert signature == "serving_default"
        self.calls.append((self.name, len(feeds["image"])))


def test_models_are_timed_alternately_at_every_batch_size(card) -> None:
    calls = []
    interface = interface_of("tiny", signatures(card), None)
    image = np.zeros((32, 48, 3), np.uint8)
    found = measure(Model("source", calls), Model("converted", calls), interface, image, (1, 4))
    assert [latency.batch_size for latency in found] == [1, 4]
    assert all(latency.source_ms > 0 and latency.converted_ms > 0 for latency in found)
    assert [name for name, _ in calls] == ["source", "converted"] * (len(calls) // 2)
    sizes = [size for _, size in calls]
    assert sizes == sorted(sizes)
    assert set(sizes) == {1, 4}
