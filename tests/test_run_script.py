"""scripts/run.sh: where a command runs, its arguments, and that its first line prints both."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# An engine, and a Compose that prints its arguments.
DOCKER = """#!/bin/sh
case $* in
  info*) echo "runc $RUNTIMES" ;;
  "compose version"*) echo "$COMPOSE_VERSION" ;;
  *) echo "docker $* as $HOST_UID:$HOST_GID" ;;
esac
"""


@pytest.fixture
def run_locally(tmp_path):
    """``run_locally(libraries, "train", …)``, where the loader finds ``libraries``: what is run, and standard error."""
    for name, text in {
        "bin/ldconfig": 'echo "$LIBRARIES"',
        ".venv/bin/segstack": 'echo "preloaded: $LD_PRELOAD; run: $*"',
        ".venv/.ready": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "run.sh", tmp_path / "scripts")

    def run(libraries, *words, runtime="local"):
        environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "RUNTIME": runtime, "LIBRARIES": libraries}
        done = subprocess.run([script, *words], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip(), done.stderr

    return run


@pytest.fixture
def run_in_containers(tmp_path):
    """``run_in_containers("train", …)``: Docker's arguments and the user they run as, and standard error."""
    docker = tmp_path / "bin/docker"
    scripts = tmp_path / "checkout/scripts"
    docker.parent.mkdir()
    scripts.mkdir(parents=True)
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    script = shutil.copy(ROOT / "scripts" / "run.sh", scripts)

    def run(*words, runtimes="", version="2.40.3", status=0, **environment):
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [script, *words],
            env={"PATH": path, "RUNTIMES": runtimes, "COMPOSE_VERSION": version, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done.stdout.strip(), done.stderr

    return run


GPU, CPU = "-f docker-compose.yml", "-f docker-compose.yml -f docker-compose.cpu.yml"


@pytest.mark.parametrize(("runtimes", "files"), [("nvidia", GPU), ("", CPU)])
def test_compose_files_depend_on_the_engines_runtimes(run_in_containers, runtimes, files):
    out, err = run_in_containers("compose", "up", runtimes=runtimes)
    assert out.startswith(f"docker compose {files} up as ")
    assert err.startswith("run: with NVIDIA GPUs" if runtimes else "run: without GPUs, as no engine lists")


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_compose_file_variable_takes_precedence(run_in_containers, tmp_path, place):
    name, value = "COMPOSE_FILE", "docker-compose.yml:docker-compose.embedded.yml"
    if place == ".env":
        (tmp_path / "checkout/.env").write_text(f"# mine\n{name}={value}\n")
    out, err = run_in_containers("compose", "up", **({} if place == ".env" else {name: value}))
    assert out.startswith("docker compose up as ")  # Compose reads it itself
    assert err == "run: with the files that COMPOSE_FILE names\n"


def test_containers_and_the_folders_made_for_them_belong_to_the_checkouts_owner(run_in_containers, tmp_path):
    checkout = tmp_path / "checkout"
    owner = 12345 if os.geteuid() == 0 else os.geteuid()
    if os.geteuid() == 0:
        os.chown(checkout, owner, owner)
    out, err = run_in_containers("train", "--help", RUNTIME="docker")
    assert out.startswith(f"docker compose {CPU} run --rm --build ")
    assert out.endswith(f" trainer train --help as {owner}:{checkout.stat().st_gid}")
    assert err == "run: segstack train in the trainer's container, as RUNTIME=docker is set\n"
    assert {(checkout / made).stat().st_uid for made in ("data", "runs")} == {owner}


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_user_can_be_set(run_in_containers, tmp_path, place):
    named = {"HOST_UID": "4711", "HOST_GID": "4712"}
    if place == ".env":
        (tmp_path / "checkout/.env").write_text('HOST_UID=4711 # me\nHOST_GID="4712"\n')
    out, _ = run_in_containers("compose", "up", **({} if place == ".env" else named))
    assert out.endswith(" as 4711:4712")


@pytest.mark.parametrize("version", ["2.24.4", "v2.24.6+ds1-0ubuntu1", "2.26.1-4", "5.0.1", "dev"])
def test_supported_compose_is_accepted(run_in_containers, version):
    assert run_in_containers("compose", "up", version=version)[0].startswith("docker compose ")


@pytest.mark.parametrize("version", ["2.5.0", "v2.24.3", "1.29.2"])
def test_compose_below_2_24_4_is_refused(run_in_containers, version):
    out, err = run_in_containers("compose", "up", version=version, status=1)
    assert out == ""
    assert err == (
        f"run: this needs a running Docker engine and Compose 2.24.4 or newer (found: {version})."
        " Without Docker: make serve, make gateway\n"
    )


def test_trainer_is_run_with_tcmalloc_where_it_is_installed(run_locally, tmp_path):
    library = tmp_path / "libtcmalloc_minimal.so.4"
    known = f"\tlibtcmalloc_minimal.so.4 (libc6,x86-64) => {library}\n\tlibz.so.1 (libc6,x86-64) => /lib/libz.so.1"
    out, err = run_locally(known, "train", "--help")
    assert out == f"preloaded: {library}; run: train --help"
    assert err.startswith(f"run: segstack train in .venv, as RUNTIME=local is set, with TCMalloc ({library})\n")


def test_without_tcmalloc_its_package_is_named(run_locally):
    out, err = run_locally("\tlibz.so.1 (libc6,x86-64) => /lib/libz.so.1", "train", "--help")
    assert out == "preloaded: ; run: train --help"
    assert "is set. TCMalloc would be used if it were installed (Debian: libtcmalloc-minimal4)" in err


def test_converter_is_run_without_tcmalloc(run_locally):
    out, err = run_locally("\tlibtcmalloc_minimal.so.4 (libc6,x86-64) => /lib/it.so", "convert", "--help")
    assert out == "preloaded: ; run: convert --help"
    assert err == "run: segstack convert in .venv, as RUNTIME=local is set\n"


@pytest.mark.parametrize(
    ("environment", "command"), [({}, "scripts/run.sh"), ({"RUNTIME": "docker"}, "RUNTIME=docker scripts/run.sh")]
)
def test_trainer_in_a_container_is_given_the_command_to_print(run_in_containers, environment, command):
    out, _ = run_in_containers("train", "--help", runtimes="nvidia", **environment)
    assert f" -e SEGSTACK_COMMAND={command} trainer train --help as " in out


def test_converter_image_is_given_the_arguments_alone(run_in_containers):
    out, _ = run_in_containers("convert", "models_repo/m", runtimes="nvidia")
    assert out.startswith(f"docker compose {GPU} run --rm --build converter models_repo/m as ")


def test_converter_without_a_gpu_is_refused(run_in_containers):
    _, err = run_in_containers("convert", "models_repo/m", status=1)
    assert "no Docker engine lists an NVIDIA runtime" in err


def test_dry_run_of_the_converter_needs_no_gpu_and_no_container(run_locally):
    out, err = run_locally("", "convert", "--dry-run", runtime="auto")
    assert out.endswith("run: convert --dry-run")
    assert "in .venv, as a dry run needs no GPU" in err


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["trainer", "train", "--help"], "train --help"),
        (["trainer"], "--help"),
        (["converter", "--help"], "convert --help"),
    ],
    ids=str,
)
def test_spellings_of_before_still_run(run_locally, words, command):
    assert run_locally("", *words)[0] == f"preloaded: ; run: {command}"
