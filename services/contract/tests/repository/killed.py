"""``python killed.py REPOSITORY OUT COMMAND…``: a command killed at each of its steps, as in a power cut.

A step is a change to the file system, or a file opened on the way to one. For every step there is a copy of the
repository, OUT/<step>, in which a new process runs the command and is killed by SIGKILL just before it; the
last copy, OUT/whole, is the one in which it came to its end. COMMAND is one of ``segstack models``, or
``publish``, or ``publish gpu`` of a model that only its GPU can load.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from contract import ClassInfo, ModelCard, publish
from contract.commands import main

_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.utime"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def write(folder: Path) -> None:
    (folder / "saved_model.pb").write_text(f"graph of {folder.name}")
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_text("index")


def run(root: Path, command) -> None:
    if command[0] == "publish":
        classes = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "road", (128, 64, 128)))
        engine = {"engines": 1} if command[1:] == ["gpu"] else None
        publish(root, ModelCard("road", "ddrnet23_slim", 32, 48, classes, engine=engine), write, lambda folder: None)
        return
    status = main([*command, "--models-root", str(root)])
    if status:
        sys.exit(status)


def kill_before(step: int) -> None:
    """Kill this process before its ``step``-th change."""
    seen = 0

    def watch(event, arguments):
        nonlocal seen
        # os.open, by which folders and files are synced, has no mode.
        if event in _CHANGES or (event == "open" and (arguments[1] is None or arguments[2] & _WRITING)):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def killed(root: Path, step: int, command) -> bool:
    """Run the command in a new process; return whether it was killed. An error ends this process too."""
    child = os.fork()
    if child == 0:
        kill_before(step)
        status = 1
        try:
            run(root, command)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if status:
        sys.exit(f"step {step} of {command} ended with status {status}")
    return False


if __name__ == "__main__":
    repository, out, command = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    step = 1
    while True:
        copy = out / str(step)
        if repository.exists():
            shutil.copytree(str(repository), str(copy))
        else:
            copy.mkdir(parents=True)
        if not killed(copy, step, command):
            copy.rename(out / "whole")
            break
        step += 1
