"""``python killed_conversion.py REPOSITORY OUT``: ``tiny`` converted, and killed by SIGKILL at each stage.

Of every stage there is a copy of the repository, OUT/<stage>, as it was left; OUT/whole is the one in which the
conversion came to its end, begun where the last was killed. The stages are printed, in order.
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
from converter.targets.tf_trt.conversion import Converted
from converter.targets.tf_trt.engines import EngineSummary
from converter.targets.tf_trt.runtime import Runtime


def build(options, interface, rewritten, scratch, calibration):
    function = tf.saved_model.load(str(rewritten)).signatures["serving_default"]
    return Converted(lambda images: function(images), {}, EngineSummary([], {}))


# Where it is killed: at the given call of a function. SavedModels are saved to be compared, then to be published.
STAGES = {
    "rewrite_saved_model": (pipeline, "rewrite_saved_model", 1),
    "build": (sys.modules[__name__], "build", 1),
    "prove": (pipeline, "prove", 1),
    "save": (saving, "save", 2),
    "check": (load_check, "check", 1),
    "sync_tree": (contract.repository.publish, "sync_tree", 1),
}


def convert(root: Path) -> None:
    words = ["--input", str(root / "tiny"), "--models-root", str(root), "--report", str(root.with_name("report"))]
    pipeline.run(parse(words), Runtime("2.6.2", "7.2.2"), build)


def kill_after(owner, name: str, calls: int) -> None:
    """Killed when the function has done its work: what it leaves behind is there."""
    original, left = getattr(owner, name), [calls]

    def last(*arguments, **keywords):
        answer = original(*arguments, **keywords)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, last)


def forked(root: Path, stage: str = "") -> int:
    """Convert in a process of its own; how it ended."""
    child = os.fork()  # before TensorFlow has run anything: it has no threads yet
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
