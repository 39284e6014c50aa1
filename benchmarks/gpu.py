"""The networks on Keras's JAX backend compared with ddrnet23_slim in PyTorch, on a GPU.

    uv venv /some/environment && uv pip install --python /some/environment -r benchmarks/requirements-gpu.in
    PYTHONPATH=services/trainer:services/contract /some/environment/bin/python -m benchmarks.gpu [--precision bfloat16]

Inference from one normalised image on the device to logits at its size, and a training step on four (forward, mean
cross entropy, backward; no optimiser), compiled by both sides (`jax.jit`, `torch.compile`; PyTorch in channels_last).
Every contender runs a chain of calls in each round, ended by one synchronisation; the order rotates by one per round.
Numbers are medians over rounds, ratios medians of the ratios within a round.

It has only been run on a CPU (`--device cpu --size 64 96 --rounds 2 --networks unet`: JAX 0.10.2, Keras 3.15.1,
PyTorch 2.13.0, five minutes on two busy cores), which shows that it works; there are no measurements on GPUs
yet.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs memory too

import jax
import keras
import numpy as np
import torch

from benchmarks.peers.torch_ddrnet import create
from trainer.models import create_model, model_names
from trainer.models.preprocessing import upsample

CLASSES = 19
REFERENCE = "ddrnet23_slim"

Contender = Callable[[], float]  # milliseconds a call


def timed(call: Callable[[], Any], synchronize: Callable[[Any], Any], calls: int) -> Contender:
    """A chain of calls that the device executes without waiting for the host."""

    def run() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            result = call()
        synchronize(result)
        return 1000 * (time.perf_counter() - started) / calls

    return run


def jax_contenders(name: str, options: argparse.Namespace) -> dict[str, Contender]:
    """A network's inference and training step in JAX."""
    height, width = options.size
    model = create_model(name, height, width, CLASSES)
    device = jax.devices(options.device)[0]
    (image, _), (images, labels) = (
        [jax.device_put(array, device) for array in random_batch(count, options.size)]
        for count in (1, options.training_batch)
    )
    trainable, fixed = (
        [jax.device_put(v.value, device) for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )

    def logits(trainable: Any, fixed: Any, image: Any, training: bool) -> Any:
        outputs, fixed = model.stateless_call(trainable, fixed, image, training=training)
        return upsample(outputs["logits"], height, width), fixed

    def loss(trainable: Any, fixed: Any, image: Any, labels: Any) -> Any:
        found, fixed = logits(trainable, fixed, image, True)
        losses = keras.ops.sparse_categorical_crossentropy(labels, found, from_logits=True)
        return keras.ops.mean(losses), fixed

    infer = jax.jit(lambda trainable, fixed, image: logits(trainable, fixed, image, False)[0])
    train = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return {
        f"{name} infer": timed(lambda: infer(trainable, fixed, image), jax.block_until_ready, options.calls),
        f"{name} train": timed(lambda: train(trainable, fixed, images, labels), jax.block_until_ready, options.calls),
    }


def torch_contenders(options: argparse.Namespace) -> dict[str, Contender]:
    """ddrnet23_slim in PyTorch."""
    device = "cuda" if options.device == "gpu" else "cpu"
    dtype = getattr(torch, options.precision)
    network = create().to(device, memory_format=torch.channels_last)
    (image, _), (images, labels) = (
        [torch.from_numpy(array).to(device) for array in random_batch(count, options.size)]
        for count in (1, options.training_batch)
    )
    # A view: NHWC in memory is channels_last.
    image, images, labels = image.permute(0, 3, 1, 2), images.permute(0, 3, 1, 2), labels.long()
    compiled = torch.compile(network) if options.compile else network

    def synchronize(_result: Any) -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def infer() -> Any:
        network.eval()
        with torch.inference_mode(), torch.autocast(device, dtype, enabled=dtype != torch.float32):
            return compiled(image)

    def train() -> Any:
        network.train()
        network.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            loss = torch.nn.functional.cross_entropy(compiled(images), labels)
        loss.backward()
        return loss

    return {
        "pytorch infer": timed(infer, synchronize, options.calls),
        "pytorch train": timed(train, synchronize, options.calls),
    }


def random_batch(count: int, size: tuple[int, int]) -> tuple[Any, Any]:
    """Normalised images [N, H, W, 3] and labels [N, H, W]."""
    random, shape = np.random.default_rng(0), (count, *size)
    return random.standard_normal((*shape, 3), np.float32), random.integers(0, CLASSES, shape, np.int32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--precision", choices=["float32", "float16", "bfloat16"], default="float32")
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--training-batch", type=int, default=4, help="at least two: one image has no variance to normalise by"
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=10, help="in a chain (default: %(default)s)")
    parser.add_argument("--networks", nargs="*", default=model_names(), help="besides ddrnet23_slim")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    options = parser.parse_args()
    if options.precision != "float32":
        keras.config.set_dtype_policy(f"mixed_{options.precision}")

    contenders: dict[str, Contender] = {}
    with jax.default_device(jax.devices(options.device)[0]):
        for name in dict.fromkeys([REFERENCE, *options.networks]):
            contenders |= jax_contenders(name, options)
        contenders |= torch_contenders(options)
        names = list(contenders)
        taken: dict[str, list[float]] = {name: [] for name in names}
        for round_ in range(-2, options.rounds):  # two rounds to compile and to wake
            for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
                milliseconds = contenders[name]()
                if round_ >= 0:
                    taken[name].append(milliseconds)

    print({"keras": keras.__version__, "jax": jax.__version__, "torch": torch.__version__, **vars(options)})
    print(f"{'':42}{'median':>10}{'least':>10}{'/ PyTorch':>12}")
    for name, times in taken.items():
        base = taken["pytorch train" if name.endswith("train") else "pytorch infer"]
        ratio = statistics.median(mine / other for mine, other in zip(times, base, strict=True))
        print(f"{name:42}{statistics.median(times):7.2f} ms{min(times):7.2f} ms{ratio:12.2f}")


if __name__ == "__main__":
    main()
