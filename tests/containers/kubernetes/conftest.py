"""The manifests that kubectl's kustomize builds from deploy/kubernetes, without a cluster."""

import functools
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]

STACKS = ["overlays/volume", "overlays/cpu", "overlays/s3", "overlays/kserve"]
APPLIED = [*STACKS, "training", "repository"]


@dataclass(frozen=True)
class Pod:
    """A pod, or a controller's pod template."""

    owner: str
    labels: dict[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


class Manifests:
    """The objects of one ``kubectl apply -k``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: list[Object] = list(yaml.safe_load_all(text))

    def of(self, kind: str) -> dict[str, Object]:
        """The objects of a kind, by name."""
        return {object["metadata"]["name"]: object for object in self.objects if object["kind"] == kind}

    def named(self, kind: str, start: str) -> Object:
        """The object named ``start``, with or without a content hash appended."""
        (found,) = [o for name, o in self.of(kind).items() if name == start or name.rpartition("-")[0] == start]
        return found

    def pods(self) -> Iterator[Pod]:
        """All pods, KServe's included: a predictor is a pod specification, and its model a container."""
        for object in self.objects:
            kind, name = object["kind"], object["metadata"]["name"]
            if kind == "Pod":
                yield Pod(name, object["metadata"]["labels"], object["spec"])
            elif kind in ("Deployment", "Job"):
                template = object["spec"]["template"]
                yield Pod(name, template["metadata"]["labels"], template["spec"])
            elif kind == "InferenceService":
                kserve = {"minReplicas", "maxReplicas", "model"}
                predictor = object["spec"]["predictor"]
                spec = {key: value for key, value in predictor.items() if key not in kserve}
                kserve = {"modelFormat", "runtime", "runtimeVersion", "storageUri"}
                container = {key: value for key, value in predictor["model"].items() if key not in kserve}
                labels = {"serving.kserve.io/inferenceservice": name, "component": "predictor"}
                yield Pod(name, labels, {**spec, "containers": [{"name": "kserve-container", **container}]})

    def pod(self, owner: str) -> Pod:
        (found,) = [pod for pod in self.pods() if pod.owner == owner]
        return found


@pytest.fixture(scope="session")
def kubectl(debian_binary: Callable[[str, str], Path]) -> Path:
    return debian_binary("kubectl", "usr/bin/kubectl")


@pytest.fixture(scope="session")
def build(kubectl: Path, root: Path) -> Callable[[str], Manifests]:
    """``build("overlays/cpu")``."""

    @functools.cache
    def build(name: str) -> Manifests:
        command = [kubectl, "kustomize", root / "deploy/kubernetes" / name]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (built.returncode, built.stderr) == (0, ""), "kustomize has something to say"
        return Manifests(built.stdout)

    return build


@pytest.fixture(scope="session", params=APPLIED)
def manifests(request: pytest.FixtureRequest, build: Callable[[str], Manifests]) -> Manifests:
    """Each kustomization that can be applied."""
    return build(request.param)


@pytest.fixture(scope="session", params=STACKS)
def stack(request: pytest.FixtureRequest, build: Callable[[str], Manifests]) -> Manifests:
    """Each overlay with gateway and serving."""
    return build(request.param)


@pytest.fixture(scope="session")
def docs(root: Path) -> str:
    return (root / "docs/kubernetes.md").read_text()
