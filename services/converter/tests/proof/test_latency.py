import numpy as np

from contract import signatures
from converter.proof.latency import measure
from converter.proof.masks import interface_of


class Model:
    """Notes who was asked with how many images."""

    def __init__(self, name, asked):
        self.name, self.asked = name, asked

    def run(self, signature, feeds):
        assert signature == "serving_default"
        self.asked.append((self.name, len(feeds["image"])))


def test_both_are_asked_in_turn_at_every_batch_size(card) -> None:
    asked = []
    interface = interface_of("tiny", signatures(card), None)
    image = np.zeros((32, 48, 3), np.uint8)
    found = measure(Model("source", asked), Model("converted", asked), interface, image, (1, 4))
    assert [latency.batch_size for latency in found] == [1, 4]
    assert all(latency.source_ms > 0 and latency.converted_ms > 0 for latency in found)
    assert [name for name, _ in asked] == ["source", "converted"] * (len(asked) // 2)
    sizes = [size for _, size in asked]
    assert sizes == sorted(sizes)
    assert set(sizes) == {1, 4}
