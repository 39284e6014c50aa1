"""scripts/run.sh: where a tool runs, what it is run with, and that the first line says so."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run_locally(tmp_path):
    """``run_locally(libraries, tool)``: where the loader knows ``libraries``; what is preloaded and run, and said."""
    for name, text in {
        "bin/ldconfig": 'echo "$LIBRARIES"',
        ".venv/bin/python": 'echo "preloaded: $LD_PRELOAD; run: $*"',
        ".venv/.ready": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "run.sh", tmp_path / "scripts")

    def run(libraries, tool, argument="--help", runtime="local"):
        environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "RUNTIME": runtime, "LIBRARIES": libraries}
        done = subprocess.run([script, tool, argument], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip(), done.stderr

    return run


def test_the_trainer_gets_tcmalloc_where_it_is_installed(run_locally, tmp_path):
    library = tmp_path / "libtcmalloc_minimal.so.4"
    known = f"\tlibtcmalloc_minimal.so.4 (libc6,x86-64) => {library}\n\tlibz.so.1 (libc6,x86-64) => /lib/libz.so.1"
    out, said = run_locally(known, "trainer")
    assert out == f"preloaded: {library}; run: -m trainer --help"
    assert said.startswith(f"run: trainer in .venv, as RUNTIME=local says so, with TCMalloc ({library})\n")


def test_where_it_is_not_installed_it_says_what_is(run_locally):
    out, said = run_locally("\tlibz.so.1 (libc6,x86-64) => /lib/libz.so.1", "trainer")
    assert out == "preloaded: ; run: -m trainer --help"
    assert "says so. TCMalloc would be used if it were installed (Debian: libtcmalloc-minimal4)" in said


def test_other_tools_are_run_as_they_are(run_locally):
    out, said = run_locally("\tlibtcmalloc_minimal.so.4 (libc6,x86-64) => /lib/it.so", "converter")
    assert out == "preloaded: ; run: -m converter --help"
    assert said == "run: converter in .venv, as RUNTIME=local says so\n"


def test_a_dry_run_of_the_converter_needs_no_gpu_and_no_container(run_locally):
    out, said = run_locally("", "converter", "--dry-run", runtime="auto")
    assert out.endswith("run: -m converter --dry-run")
    assert "in .venv, as a dry run needs no GPU" in said
