"""In every overlay the objects fit together and pods have few privileges."""

import pytest

from contract.version import __version__

pytestmark = pytest.mark.containers

REGISTRY = "registry.example.org/"


def test_every_kustomization_is_tested(root):
    from_here = root / "deploy/kubernetes"
    found = {str(path.parent.relative_to(from_here)) for path in from_here.glob("*/kustomization.yaml")}
    found |= {str(path.parent.relative_to(from_here)) for path in from_here.glob("overlays/*/kustomization.yaml")}
    applied = {"overlays/volume", "overlays/cpu", "overlays/s3", "overlays/kserve", "training", "repository"}
    assert found == {*applied, "base"}


def test_everything_is_in_one_namespace(manifests):
    for each in manifests.objects:
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "segstack", each["metadata"]["name"]


def test_pods_have_few_privileges(manifests):
    for pod in manifests.pods():
        security = pod.spec["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 1000), pod.owner
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.owner
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec), pod.owner
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, pod.owner


def test_namespace_enforces_the_restricted_profile(stack):
    assert stack.of("Namespace")["segstack"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_has_requests_and_a_limit_of_memory(manifests):
    for pod in manifests.pods():
        for container in pod.containers:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, pod.owner
            assert "memory" in container["resources"]["limits"], pod.owner


def test_pods_on_gpu_nodes_request_a_gpu(manifests):
    for pod in manifests.pods():
        limits = [limit for container in pod.containers for limit in container["resources"]["limits"]]
        tolerated = "nvidia.com/gpu" in [toleration["key"] for toleration in pod.spec.get("tolerations", [])]
        assert tolerated == ("nvidia.com/gpu" in limits), pod.owner


def test_no_service_sets_variables_in_pods(stack):
    """A Service called gateway would set GATEWAY_PORT=tcp://…."""
    assert stack.pod("gateway").spec["enableServiceLinks"] is False


def test_selectors_match_existing_pods(manifests):
    labels = [pod.labels for pod in manifests.pods()]
    selectors = [service["spec"]["selector"] for service in manifests.of("Service").values()]
    for each in manifests.objects:
        if each["kind"] in ("PodDisruptionBudget", "NetworkPolicy", "Deployment"):
            selector = each["spec"].get("selector") or each["spec"]["podSelector"]
            selectors.append(selector.get("matchLabels", {}))
    for pod in manifests.pods():
        spread = pod.spec.get("topologySpreadConstraints", [])
        assert all(each["labelSelector"]["matchLabels"].items() <= pod.labels.items() for each in spread)
    for selector in selectors:
        assert any(selector.items() <= each.items() for each in labels), selector


def test_services_target_existing_ports(manifests):
    for name, service in manifests.of("Service").items():
        selected = [pod for pod in manifests.pods() if service["spec"]["selector"].items() <= pod.labels.items()]
        ports = [port for pod in selected for container in pod.containers for port in container.get("ports", [])]
        known = {port["containerPort"] for port in ports} | {port["name"] for port in ports}
        for port in service["spec"].get("ports", []):
            assert port.get("targetPort", port["port"]) in known, name


def test_autoscaled_deployment_sets_no_replicas(stack):
    for scaler in stack.of("HorizontalPodAutoscaler").values():
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in stack.of(target["kind"])[target["name"]]["spec"]
        assert "cpu" in stack.pod(target["name"]).containers[0]["resources"]["requests"]


def test_references_of_pods_exist_or_are_documented(manifests, build, docs):
    """Claims may belong to another overlay; users create the Secret and the recipe themselves."""
    claims = {name for each in ("overlays/volume", "training") for name in build(each).of("PersistentVolumeClaim")}
    for pod in manifests.pods():
        if "serviceAccountName" in pod.spec:
            assert pod.spec["serviceAccountName"] in manifests.of("ServiceAccount"), pod.owner
        maps, secrets = set(), set()
        for volume in pod.spec.get("volumes", []):
            maps |= {volume["configMap"]["name"]} if "configMap" in volume else set()
            secrets |= {volume["secret"]["secretName"]} if "secret" in volume else set()
            assert volume.get("persistentVolumeClaim", {}).get("claimName") in {None, *claims}, pod.owner
        for source in [source for container in pod.containers for source in container.get("envFrom", [])]:
            maps |= {source["configMapRef"]["name"]} if "configMapRef" in source else set()
            secrets |= {source["secretRef"]["name"]} if "secretRef" in source else set()
        for name in maps - set(manifests.of("ConfigMap")):
            assert f"create configmap {name} " in docs, name
        for name in secrets:
            assert f"create secret generic {name} " in docs, name


def test_gpu_pods_need_no_node_labels(manifests):
    """Labels such as nvidia.com/gpu.present exist only with GPU feature discovery; the resource limit suffices."""
    for pod in manifests.pods():
        assert not pod.spec.get("nodeSelector"), pod.owner


def test_images_are_those_that_compose_builds_at_this_version(manifests, resolve):
    cpu, embedded = "docker-compose.cpu.yml", "docker-compose.embedded.yml"
    files = [["docker-compose.yml"], ["docker-compose.yml", cpu], ["docker-compose.yml", embedded]]
    built = {service["image"] for each in files for service in resolve(*each)["services"].values()}
    for image in {container.get("image") for pod in manifests.pods() for container in pod.containers} - {None}:
        name, _, tag = image.removeprefix(REGISTRY).partition(":")
        version, _, variant = tag.partition("-")
        assert image.startswith(REGISTRY), image
        assert version == __version__, image
        assert (f"{name}:{variant}" if variant else name) in built, image
