"""Every network in TensorFlow, frozen as for export, and ddrnet23_slim compared with PyTorch and ONNX Runtime.

    make bench, or .venv/bin/python -m benchmarks.inference [--rounds 20] [--size 480 640] [--networks unet …]

One 480x640 image, 19 classes, two threads, random weights; from the image to logits at its size. PyTorch and ONNX
Runtime run in a separate environment and process, which sleeps while others are timed. Every contender is called
twice per round, the first time to wake it; the order rotates by one per round. Numbers are medians over rounds,
ratios medians of the ratios within a round. The PyTorch module is our own, checked against the authors' number of
parameters.

Measured on two idle cores of a Xeon with AMX (five rounds; medians in ms, and to ddrnet23_slim in TensorFlow):

    ddrnet23_slim  47.7  1.00    deeplabv3plus_mobilenetv3_small  48.4  1.03    onnxruntime            37.1  0.76
    ddrnet23      138.5  2.91    deeplabv3plus_mobilenetv3_large  73.4  1.53    pytorch channels_last  48.9  1.02
    ddrnet39      253.7  5.30    deeplabv3plus_efficientnetv2_b0 123.2  2.58    pytorch eager          55.9  1.17
    unet          431.4  8.89    deeplabv3plus_efficientnetv2_s  333.1  6.70

PyTorch's threads spin while they wait, as by default; sleeping (OMP_WAIT_POLICY=PASSIVE) it took 68.5 and 82.6.
GFLOPs are not milliseconds: mobilenetv3_small has a third of ddrnet23_slim's, in depthwise convolutions that are
bound by memory. Folding BatchNorm into the convolutions saves 3 % of ddrnet23_slim's time and 8 % of
mobilenetv3_small's.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.tools.environment import python_with
from benchmarks.tools.rounds import Contender, Peer, measure
from trainer.frozen import graph
from trainer.models import create_model, model_names

CLASSES, THREADS = 19, 2
REFERENCE = "ddrnet23_slim"
PEERS = ["pytorch eager", "pytorch channels_last", "onnxruntime"]
PEER = Path(__file__).with_name("peers") / "torch_peer.py"


def frozen(name: str, height: int, width: int) -> Contender:
    """A network in TensorFlow."""
    function = graph.freeze(create_model(name, height, width, CLASSES), height, width, images=1).logits
    image = tf.constant(np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8))

    def call() -> float:
        started = time.perf_counter()
        function(image)[0].numpy()
        return 1000 * (time.perf_counter() - started)

    return call


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--networks", nargs="*", default=model_names(), help="besides ddrnet23_slim")
    parser.add_argument("--torch-python", type=Path, help="an interpreter that has requirements-torch.in already")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)

    peer = Peer(options.torch_python or python_with("requirements-torch.in"), PEER, *options.size, THREADS, spins=True)
    try:
        contenders = {name: frozen(name, *options.size) for name in dict.fromkeys([REFERENCE, *options.networks])}
        contenders |= {name: peer.contender(name) for name in PEERS}
        measure(contenders, 2)  # warm
        taken = measure(contenders, options.rounds)
    finally:
        peer.close()
    print({"tensorflow": tf.__version__, **peer.versions})
    print(f"{'':34}{'median':>10}{'least':>10}{'/ ' + REFERENCE:>18}")
    for name, times in taken.items():
        ratio = statistics.median(mine / base for mine, base in zip(times, taken[REFERENCE], strict=True))
        print(f"{name:34}{statistics.median(times):7.1f} ms{min(times):7.1f} ms{ratio:18.2f}")


if __name__ == "__main__":
    main()
