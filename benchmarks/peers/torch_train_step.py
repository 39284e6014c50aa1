"""DDRNet-23-slim trained in PyTorch, one step per request: the peer in benchmarks/train_step.py.

It runs in a separate environment. Each line on standard input names a contender, which takes one step on the same
batch; the milliseconds are printed. The first line printed is JSON with the version.
"""

import json
import sys
import time
from collections.abc import Callable

import torch
from torch.nn import functional
from torch_ddrnet import DDRNet23Slim

HEIGHT, WIDTH, BATCH, CLASSES, THREADS = (int(word) for word in sys.argv[1:6])
NOW = time.process_time if sys.argv[6] == "cpu" else time.perf_counter


def contender(memory_format: torch.memory_format) -> Callable[[], float]:
    """One network: forward, cross entropy at the images' size, backward, SGD."""
    network = DDRNet23Slim(CLASSES).train().to(memory_format=memory_format)
    images = torch.randn(BATCH, 3, HEIGHT, WIDTH).contiguous(memory_format=memory_format)
    labels = torch.randint(0, CLASSES, (BATCH, HEIGHT, WIDTH))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main() -> None:
    """Answer until standard input ends."""
    torch.set_num_threads(THREADS)
    known = {
        "pytorch eager": contender(torch.contiguous_format),
        "pytorch channels_last": contender(torch.channels_last),
    }
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        step = known[line.strip()]
        started = NOW()
        step()
        print(1000 * (NOW() - started), flush=True)


if __name__ == "__main__":
    main()
