"""Validation mIoU of ddrnet23_slim after minutes on two cores; PyTorch gets the same time on the same images.

    .venv/bin/python -m benchmarks.convergence [--epochs 28] [--clock wall]

Ours runs services/trainer/recipes/cpu_10_minutes.yaml from the command line. PyTorch then trains for the same total
time, which includes our start-up and validations, with channels_last, the same optimizer, schedule, losses and
augmentation, the authors' initialisation, and no validation on the way. Both are measured with their last weights and
our confusion matrix. They run one after the other; on a shared machine, ``--clock cpu`` gives both the same processor
time instead. Exits 1 if our mIoU is lower.

Measured on two idle cores of a Xeon, one seed, 510 s each: ours 0.9469 after 1540 steps, PyTorch 0.9453 after 1798.
PyTorch made a sixth more steps, because ours also paid for its start, seven validations and saved states. Short runs
are less conclusive: with --epochs 3 --clock cpu, 119 s each, on two busy cores, ours was 0.0057 behind, 0.8103 to
0.8160.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.tools.environment import python_with
from trainer.datasets.dataset import Dataset, load_dataset
from trainer.datasets.pair import read_pair
from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.overlap import mean_iou
from trainer.recipe import RECIPES
from trainer.runs import RunFolder
from trainer.sources.cvat.importer import import_cvat
from trainer.sources.drawn.scenes import synthesize

RECIPE = RECIPES / "cpu_10_minutes.yaml"
PEER = Path(__file__).with_name("peers") / "torch_convergence.py"


def draw(folder: Path) -> Dataset:
    """The set that `segstack data synthesize` draws by default."""
    synthesize(folder / "export", images=600, height=192, width=256, seed=1)
    import_cvat([folder / "export"], folder / "drawn")
    return load_dataset(folder / "drawn")


def last_epoch(run: Path) -> dict[str, str]:
    """The last line of a run's metrics."""
    with RunFolder(run).metrics.open(newline="") as file:
        *_, last = csv.DictReader(file)
    return last


def ours(dataset: Dataset, folder: Path, epochs: int | None, clock: str) -> tuple[float, float, int]:
    """Validation mIoU of the last epoch, seconds by the clock, steps."""
    command = [sys.executable, "-m", "trainer", "train", dataset.root, "--config", RECIPE, "--run", folder]
    started, used = time.monotonic(), _cpu_seconds()
    subprocess.run([*map(str, command), *(["--set", f"epochs={epochs}"] if epochs else [])], check=True)
    seconds = _cpu_seconds() - used if clock == "cpu" else time.monotonic() - started
    last = last_epoch(folder)
    return float(last["validation_miou"]), seconds, int(last["step"])


def theirs(dataset: Dataset, folder: Path, python: Path, seconds: float, clock: str) -> tuple[float, dict[str, object]]:
    """Validation mIoU of PyTorch, and its own report."""
    train, validation = ([read_pair(dataset, item) for item in dataset.split(name)] for name in ("train", "validation"))
    np.savez(
        folder / "images.npz",
        images=np.stack([pair.image for pair in train]),
        masks=np.stack([pair.mask for pair in train]),
        validation=np.stack([pair.image for pair in validation]),
        classes=len(dataset.classes),
    )
    command = [str(python), str(PEER), str(folder / "images.npz"), str(folder / "masks.npy"), str(seconds), clock]
    # Spinning threads are faster on an idle machine; on a busy one they waste processor time waiting.
    environment = {**os.environ, **({"OMP_WAIT_POLICY": "PASSIVE"} if clock == "cpu" else {})}
    report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    confusion = ConfusionMatrix(len(dataset.classes))
    confusion.add(np.stack([pair.mask for pair in validation]), np.load(folder / "masks.npy"))
    return mean_iou(confusion), json.loads(report)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Train both, print, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, help="of ours (default: the recipe's)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="which both get the same amount of")
    parser.add_argument("--torch-python", type=Path, help="an interpreter that already has torch and numpy")
    options = parser.parse_args()
    python = options.torch_python or python_with("requirements-torch.in")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dataset = draw(folder)
        miou, seconds, steps = ours(dataset, folder / "run", options.epochs, options.clock)
        peer_miou, peer_report = theirs(dataset, folder, python, seconds, options.clock)
    print(f"{seconds:.0f} s each ({options.clock})")
    print(f"ours     {miou:.4f} after {steps} steps")
    print(f"pytorch  {peer_miou:.4f} after {peer_report['steps']} steps ({peer_report['torch']})")
    print(f"difference {miou - peer_miou:+.4f}")
    return int(miou < peer_miou)


if __name__ == "__main__":
    sys.exit(main())
