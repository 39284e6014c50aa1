"""A conversion without a GPU: the real TF-TRT cuts the graph into engines, and none is built.

It runs in a process and an environment of its own (:mod:`.dry_run_environment`), whose TensorFlow 2.14.1 and
TensorRT 8.5.3 are the last to be had as packages; serving's 2.6.2 and 7.2.2 are older, so what is one engine here is
not proven to be one there. Times, and whether TensorRT builds the engines, only a GPU can tell.
"""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import contract
import converter
from contract import SERVING_DEFAULT
from converter.arguments import Options
from converter.errors import ConverterError
from converter.targets.tf_trt import dry_run_environment
from converter.targets.tf_trt.engines import EngineSummary


@dataclass(frozen=True)
class DryRun:
    """``notes`` are what was rewritten before, a line each; the versions are the dry run's own."""

    engines: EngineSummary
    notes: List[str]
    tensorflow: str
    tensorrt: str


def run(options: Options, signature: str = SERVING_DEFAULT) -> DryRun:
    """Rewrite and convert one signature, in about twenty seconds; the first time ever the environment is made.

    Raises:
        ConverterError: the environment cannot be made, the model cannot be rewritten, or TF-TRT fails.
    """
    with dry_run_environment.held() as python, tempfile.TemporaryDirectory(prefix="dry-run-") as scratch:
        answer = _ask(python, Path(scratch), options, signature)
    if "error" in answer:
        raise ConverterError(answer["error"])
    return DryRun(EngineSummary(**answer["engines"]), answer["notes"], answer["tensorflow"], answer["tensorrt"])


def _ask(python: Path, scratch: Path, options: Options, signature: str) -> Dict[str, Any]:
    # Links, because the folders that these packages lie in may hold other packages for another Python.
    for package in (contract, converter):
        folder = Path(str(package.__file__)).resolve().parent
        (scratch / folder.name).symlink_to(folder, target_is_directory=True)
    question = {
        "source": str(options.source.folder),
        "signature": signature,
        "image_size": options.image_size,
        "precision": options.precision,
        "workspace_mb": options.workspace_mb,
        "rewritten": str(scratch / "rewritten"),
        "log": str(scratch / "log"),
        "answer": str(scratch / "answer.json"),
    }
    with (scratch / "log").open("wb") as log:
        status = subprocess.run(  # noqa: S603
            [str(python), "-m", "converter.targets.tf_trt.dry_run_process", json.dumps(question)],
            env=_environment(python, scratch),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode
    answer = scratch / "answer.json"
    if status != 0 or not answer.is_file():
        last = (scratch / "log").read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise ConverterError(f"the dry run of {options.source.folder} failed with status {status}: {last[0]}")
    found: Dict[str, Any] = json.loads(answer.read_text())
    return found


def _environment(python: Path, packages: Path) -> Dict[str, str]:
    libraries = os.pathsep.join(str(folder) for folder in dry_run_environment.libraries(python))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": libraries,
        "CUDA_VISIBLE_DEVICES": "-1",  # the same on every machine
        "TF_CPP_MIN_LOG_LEVEL": "1",  # TF-TRT's report is a warning
        "TF_TRT_SHOW_DETAILED_REPORT": "1",
    }
