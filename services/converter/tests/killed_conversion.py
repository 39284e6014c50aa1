"""``python killed_conversion.py REPOSITORY OUT``: converts ``tiny`` and kills the process at each stage.

OUT/<stage> is a copy of the repository after each kill; OUT/whole after a conversion that then ran to its end. The
stages are printed in order.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import tensorflow as tf

import contract.repository.publish
from converter import pipeline
from converter.arguments import parse
from converter.proof import load_check
from converter.targets.tf_trt import signatures as saving
from converter.targets.tf_trt import target
from converter.targets.tf_trt.conversion import Converted
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime


def build(options, interface, rewritten, scratch, calibration):
    function = tf.saved_model.load(str(rewritten)).signatures["serving_default"]
    return Converted(lambda images: function(images), {}, EngineSummary([], {}))


# Where it is killed: after the given call of a function. SavedModels are saved for comparison, then for publishing.
STAGES = {
    "rewrite_saved_model": (target, "rewrite_saved_model", 1),
    "build": (sys.modules[__name__], "build", 1),
    "prove": (pipeline, "prove", 1),
    "save": (saving, "save", 2),
    "check": (load_check, "check", 1),
    "sync_tree": (contract.repository.publish, "sync_tree", 1),
}


def convert(root: Path) -> None:
    words = [str(root / "tiny"), "--models-root", str(root), "--report", str(root.with_name("report"))]
    pipeline.run(parse(words), target.TfTrt(Runtime("2.6.2", "7.2.2"), build))


def kill_after(owner, name: str, calls: int) -> None:
    """Kill the process after a call of the function, so that the files it wrote exist."""
    original, remaining = getattr(owner, name), [calls]

    def last(*arguments, **keywords):
        answer = original(*arguments, **keywords)
        remaining[0] -= 1
        if not remaining[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, last)


def forked(root: Path, stage: str = "") -> int:
    """Convert in a child process; returns its wait status."""
    child = os.fork()  # TensorFlow has not run anything yet, so it has no threads
    if child == 0:
        status = 1
        try:
            if stage:
                kill_after(*STAGES[stage])
            convert(root)
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    repository, out = Path(sys.argv[1]), Path(sys.argv[2])
    for stage in STAGES:
        status = forked(repository, stage)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"{stage}: ended with status {status}")
        shutil.copytree(str(repository), str(out / stage))
        print(stage)
    if forked(repository):
        sys.exit("the conversion that was not killed failed")
    shutil.copytree(str(repository), str(out / "whole"))
