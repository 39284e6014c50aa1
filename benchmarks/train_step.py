"""Images per second of one training step of ddrnet23_slim on two cores, compared with PyTorch.

    make bench, or .venv/bin/python -m benchmarks.train_step [--rounds 20] [--size 256 256] [--clock wall]

One device's step as in the training loop: 8 images of 256x256 from uint8, 19 classes, one head, cross entropy at the
images' size, SGD with momentum and weight decay. PyTorch runs in two separate processes: in one, OpenMP's threads
spin while they wait, the default, which is faster on an idle machine and far slower on a shared one; in the other
they sleep. Each is called twice per round and timed the second time; the order rotates by one per round. Numbers are
medians over rounds, ratios medians of the ratios within a round. ``--clock cpu`` reports the processor time of both
threads, spinning included. Exits 1 if any PyTorch contender was faster.

Measured on two idle cores of a Xeon with AMX (20 rounds; ms; Keras 3.15.1 on TensorFlow 2.21, PyTorch 2.13):

                                      median     least     / ours
    ours                                 380       344       1.00
    ours, not fused                      439       420       1.16
    pytorch channels_last, spinning      412       373       1.09
    pytorch eager, spinning              442       405       1.16
    pytorch channels_last, asleep        490       456       1.32
    pytorch eager, asleep                528       488       1.39

With other programs on the cores (load 3 to 9) ours took 746, the sleeping ones 948 and 933, the spinning ones 5175
and 4644.
"""

import argparse
import os
import statistics
import sys
import time
from contextlib import nullcontext
from itertools import repeat
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.tools.environment import python_with
from benchmarks.tools.rounds import Contender, Peer, measure
from trainer.recipe import Data, Recipe
from trainer.training import network as networks
from trainer.training.distribution import Distribution
from trainer.training.optimizers import create_optimizer
from trainer.training.step import TrainStep

BATCH, CLASSES, THREADS = 8, 19, 2
OURS = "ours"
PEERS = ["pytorch eager", "pytorch channels_last"]
PEER = Path(__file__).with_name("peers") / "torch_train_step.py"


def ours(height: int, width: int, *, fused: bool, clock: str) -> Contender:
    """The loop's step; without ``fused``, with batch normalisation as Keras has it."""
    data = Data(path=Path("none"), input_height=height, input_width=width, batch_size=BATCH)
    recipe = Recipe(network="ddrnet23_slim", data=data, auxiliary_weight=0, epochs=1)
    distribution = Distribution()
    with nullcontext() if fused else patch.object(networks, "fuse_batch_normalization"):
        network = networks.create_network(recipe, CLASSES, distribution)
    step = TrainStep(recipe, network, create_optimizer(recipe.optimizer, 10**6), distribution)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (BATCH, height, width, 3), np.uint8))
    labels = tf.constant(rng.integers(0, CLASSES, (BATCH, height, width), np.uint8))
    batches, now = repeat((images, labels)), time.process_time if clock == "cpu" else time.perf_counter

    def call() -> float:
        started = now()
        step(batches)
        step.take_loss()  # waits for the step
        return 1000 * (now() - started)

    return call


def main() -> int:
    """Measure, print, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--torch-python", type=Path, help="an interpreter that already has requirements-torch.in")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="the clock to measure with")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)

    python = options.torch_python or python_with("requirements-torch.in")
    words = *options.size, BATCH, CLASSES, THREADS, options.clock
    peers = {", spinning": Peer(python, PEER, *words, spins=True), ", asleep": Peer(python, PEER, *words)}
    try:
        contenders = {
            name: ours(*options.size, fused=name == OURS, clock=options.clock) for name in (OURS, "ours, not fused")
        }
        contenders |= {f"{name}{how}": peer.contender(name) for how, peer in peers.items() for name in PEERS}
        measure(contenders, 2)  # warm
        taken = measure(contenders, options.rounds)
    finally:
        for peer in peers.values():
            peer.close()
    print({"tensorflow": tf.__version__, "keras": keras.__version__, **peers[", asleep"].versions})
    print(f"{'':34}{'images/s':>10}{'median':>12}{'least':>12}{'/ ' + OURS:>10}")
    ratios = {}
    for name, times in taken.items():
        ratios[name] = statistics.median(mine / base for mine, base in zip(times, taken[OURS], strict=True))
        median = statistics.median(times)
        print(f"{name:34}{1000 * BATCH / median:10.1f}{median:9.0f} ms{min(times):9.0f} ms{ratios[name]:10.2f}")
    return int(any(ratio < 1 for name, ratio in ratios.items() if name.startswith("pytorch")))


if __name__ == "__main__":
    sys.exit(main())
