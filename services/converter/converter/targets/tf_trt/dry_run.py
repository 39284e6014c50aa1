"""A conversion without a GPU: the real TF-TRT divides the graph into engines, but builds none.

It runs in a separate process and environment (:mod:`.dry_run_environment`), whose TensorFlow 2.14.1 and TensorRT 8.5.3
are the last available as packages. Serving's 2.6.2 and 7.2.2 are older, so one engine here may be several there.
Latencies, and whether TensorRT can build the engines, need a GPU.
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
    """``notes`` list what was rewritten; the versions are those of the dry run's environment."""

    engines: EngineSummary
    notes: List[str]
    tensorflow: str
    tensorrt: str


def run(options: Options, signature: str = SERVING_DEFAULT) -> DryRun:
    """Rewrite and convert one signature: about twenty seconds, plus the environment's creation the first time.

    Raises:
        ConverterError: the environment cannot be created, the model cannot be rewritten, or TF-TRT fails.
    """
    with dry_run_environment.locked() as python, tempfile.TemporaryDirectory(prefix="dry-run-") as scratch:
        reply = _run_process(python, Path(scratch), options, signature)
    if "error" in reply:
        raise ConverterError(reply["error"])
    return DryRun(EngineSummary(**reply["engines"]), reply["notes"], reply["tensorflow"], reply["tensorrt"])


def _run_process(python: Path, scratch: Path, options: Options, signature: str) -> Dict[str, Any]:
    # Links, because site-packages may hold other packages for another Python next to these.
    for package in (contract, converter):
        folder = Path(str(package.__file__)).resolve().parent
        (scratch / folder.name).symlink_to(folder, target_is_directory=True)
    request = {
        "source": str(options.source.folder),
        "signature": signature,
        "image_size": options.image_size,
        "precision": options.precision,
        "workspace_mb": options.workspace_mb,
        "rewritten": str(scratch / "rewritten"),
        "log": str(scratch / "log"),
        "reply": str(scratch / "reply.json"),
    }
    with (scratch / "log").open("wb") as log:
        status = subprocess.run(  # noqa: S603
            [str(python), "-m", "converter.targets.tf_trt.dry_run_process", json.dumps(request)],
            env=_environment(python, scratch),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode
    reply = scratch / "reply.json"
    if status != 0 or not reply.is_file():
        last = (scratch / "log").read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
        raise ConverterError(f"the dry run of {options.source.folder} failed with status {status}: {last[0]}")
    parsed: Dict[str, Any] = json.loads(reply.read_text())
    return parsed


def _environment(python: Path, packages: Path) -> Dict[str, str]:
    libraries = os.pathsep.join(str(folder) for folder in dry_run_environment.libraries(python))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": libraries,
        "CUDA_VISIBLE_DEVICES": "-1",  # the same result on every machine
        "TF_CPP_MIN_LOG_LEVEL": "1",  # TF-TRT logs its report as a warning
        "TF_TRT_SHOW_DETAILED_REPORT": "1",
    }
