"""Each object against the schemas of the oldest and newest supported Kubernetes, and of KServe."""

import ast
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.containers

VALIDATOR = "kubernetes-validate==1.37.0"
VERSIONS = ["1.31", "1.37"]
KSERVE = "kserve==0.21.0"


@pytest.fixture(scope="session")
def validate(python_tool):
    """``validate(version, file)``: strictly, so that unknown fields and kinds are errors."""

    def validate(version: str, path: Path) -> None:
        validator = python_tool(VALIDATOR) / "kubernetes-validate"
        command = [validator, "--strict", "--quiet", "--kubernetes-version", version, path]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        output = result.stdout + result.stderr  # a kind without a schema is only a warning
        assert result.returncode == 0, output
        assert not output, output

    return validate


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_and_has_no_unknown_field(manifests, version, validate, tmp_path):
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump_all([each for each in manifests.objects if each["kind"] != "InferenceService"]))
    validate(version, path)


def test_unknown_fields_and_kinds_are_found(build, validate, tmp_path):
    service = build("overlays/volume").of("Service")["serving"]
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**service, "spec": {**service["spec"], "clusterIp": "None"}}))
    with pytest.raises(AssertionError, match="clusterIp"):
        validate("1.37", path)
    path.write_text(yaml.safe_dump({**service, "apiVersion": "v2"}))
    with pytest.raises(AssertionError, match="find schema for kind Service"):
        validate("1.37", path)


def test_kserves_pods_are_valid_pods(build, validate, tmp_path):
    """Apart from KServe's fields, a predictor is a pod specification, and its model a container."""
    pod = build("overlays/kserve").pod("road")
    path = tmp_path / "pod.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "road"}, "spec": pod.spec}))
    validate("1.37", path)


@pytest.fixture(scope="session")
def kserve_models(python_tool, tmp_path_factory):
    """``kserve_models("v1beta1_model_spec")``: the fields of KServe's class of that module, with their types.

    The package's own classes are made from its custom resources' schema. They are read, not imported: that would take
    everything KServe's servers need.
    """
    folder = tmp_path_factory.mktemp("kserve")
    python = python_tool(VALIDATOR) / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, KSERVE]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"{KSERVE} cannot be installed here: {installed.stderr.strip()}")

    def read(module: str) -> dict[str, str]:
        tree = ast.parse((folder / f"kserve/models/{module}.py").read_text())
        (model,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        assigned = {node.targets[0].id: node.value for node in model.body if isinstance(node, ast.Assign)}
        types, names = (ast.literal_eval(assigned[name]) for name in ("openapi_types", "attribute_map"))
        return {names[attribute]: kind for attribute, kind in types.items()}

    return read


def test_kserve_knows_every_field_of_the_inference_service(build, kserve_models):
    (service,) = build("overlays/kserve").of("InferenceService").values()
    assert set(service) <= set(kserve_models("v1beta1_inference_service"))
    assert set(service["spec"]) <= set(kserve_models("v1beta1_inference_service_spec"))
    predictor, known = service["spec"]["predictor"], kserve_models("v1beta1_predictor_spec")
    assert set(predictor) <= set(known)
    assert (known["minReplicas"], known["model"]) == ("int", "V1beta1ModelSpec")
    assert set(predictor["model"]) <= set(kserve_models("v1beta1_model_spec"))
    assert set(predictor["model"]["modelFormat"]) <= set(kserve_models("v1beta1_model_format"))
