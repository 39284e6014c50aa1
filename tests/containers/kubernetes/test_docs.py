"""The commands of docs/kubernetes.md do what the page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from contract.serving_config import models_config, version_policy
from gateway.access.keys import KeyRing

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def blocks(docs) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", docs, re.MULTILINE | re.DOTALL)


def _the(blocks, start):
    (found,) = [text for _, text in blocks if start in text]
    return found


@pytest.fixture
def shell(tmp_path):
    """``shell(text)``: run it in an empty folder, with this environment's Python."""

    def run(text: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        command = ["bash", "-euo", "pipefail", "-c", text]
        environment = {**os.environ, "PATH": path}
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_applied_folders_exist_and_all_are_documented(docs, root):
    applied = set(re.findall(r"apply -k (deploy/kubernetes/\S+)", docs))
    for folder in applied:
        assert (root / folder / "kustomization.yaml").exists(), folder
    for overlay in (root / "deploy/kubernetes/overlays").iterdir():
        assert f"`overlays/{overlay.name}`" in docs


def test_named_files_exist(docs, root):
    files = re.findall(r"`((?:base|services|deploy|components)/[\w./-]+\.\w+)`", docs)
    assert files
    for file in files:
        assert (root / file).exists() or (root / "deploy/kubernetes" / file).exists(), file
    for file in re.findall(r"recipe\.yaml=(\S+)", docs):
        assert (root / file).exists(), file


def test_images_are_pushed_under_the_names_that_are_pulled(blocks, root, tmp_path, shell):
    shutil.copytree(root / "deploy", tmp_path / "deploy")
    text = _the(blocks, "docker push").replace("registry.example.org\n", "ours.example/team\n")
    pushed = shell("make() { :; }; docker() { if [[ $1 == push ]]; then echo $2; fi; }\n" + text).split()
    pulled = set()
    for path in (tmp_path / "deploy").rglob("kustomization.yaml"):
        images = yaml.safe_load(path.read_text()).get("images", [])
        pulled |= {f"{image['newName']}:{image['newTag']}" for image in images}
    assert set(pushed) == pulled


def test_documented_key_is_accepted(blocks, tmp_path, shell):
    lines = _the(blocks, "new-key").splitlines()
    key = shell("\n".join(line for line in lines if line.startswith(("segstack", "tail")))).strip()
    assert KeyRing(tmp_path / "api-keys").find(key).name == "hall-2"


def test_version_is_copied_completely_into_the_volume(blocks, small_models_root, tmp_path, shell):
    shutil.copytree(small_models_root, tmp_path / "models_repo")
    pod = tmp_path / "pod"
    (pod / "models_repo").mkdir(parents=True)
    text = _the(blocks, "alias in-repository").replace("road/4", "small/1").replace("road", "small")
    lines = [line for line in text.splitlines() if not line.startswith(("kubectl", "alias"))]
    output = shell(f'in-repository() {{ (cd {pod} && "$@"); }}\n' + "\n".join(lines))
    assert re.search(r"small\s+1\b.*loaded", output), output
    there = {path.relative_to(pod / "models_repo/small/1") for path in (pod / "models_repo/small/1").rglob("*")}
    here = {path.relative_to(small_models_root / "small/1") for path in (small_models_root / "small/1").rglob("*")}
    assert there == here
    assert (pod / "models_repo/models.config").read_bytes() == (small_models_root / "models.config").read_bytes()


def test_for_a_bucket_models_config_names_versions_and_the_bucket(blocks, small_models_root, tmp_path, shell):
    shutil.copytree(small_models_root, tmp_path / "models_repo")
    folder = tmp_path / "deploy/kubernetes/overlays/s3"
    folder.mkdir(parents=True)
    text = _the(blocks, "aws s3 sync").replace("road stable 4", "small stable 1")
    shell("\n".join(line for line in text.splitlines() if line.startswith(("segstack", "sed"))))
    written = folder / "models.config"
    (model,) = models_config.models(written).values()
    assert (model.policy, model.labels) == (version_policy.Specific(frozenset({1})), {"stable": 1})
    assert re.findall(r'base_path: "(.*)"', written.read_text()) == ["s3://example-models/small"]


def test_prometheus_accepts_the_documented_jobs(blocks, debian_binary, tmp_path):
    path = tmp_path / "prometheus.yml"
    path.write_text(_the(blocks, "scrape_configs"))
    promtool = debian_binary("promtool", "usr/bin/promtool")
    checked = subprocess.run([promtool, "check", "config", "--syntax-only", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_each_gpu_gets_its_own_serving(blocks, compose, root, tmp_path):
    shutil.copy(root / "docker-compose.yml", tmp_path)
    (tmp_path / "docker-compose.gpus.yml").write_text(_the(blocks, "serving-1:"))
    files = ["-f", "docker-compose.yml", "-f", "docker-compose.gpus.yml"]
    command = [*compose, "--env-file", os.devnull, *files, "config"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    services = yaml.safe_load(result.stdout)["services"]
    assert services["gateway"]["environment"]["GATEWAY_SERVING_ADDRESS"] == "serving:8500,serving-1:8500"
    for index, name in enumerate(("serving", "serving-1")):
        (device,) = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert device["device_ids"] == [str(index)]
    assert "ports" not in services["serving-1"] or services["serving-1"]["ports"] == []
