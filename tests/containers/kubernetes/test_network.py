"""Traffic that the NetworkPolicies allow."""

import pytest

pytestmark = pytest.mark.containers


def _who(peer):
    """A short text for a peer."""
    if "ipBlock" in peer:
        return peer["ipBlock"]["cidr"]
    pod = next(iter(peer.get("podSelector", {}).get("matchLabels", {}).values()), "anyone")
    space = next(iter(peer.get("namespaceSelector", {}).get("matchLabels", {}).values()), None)
    return f"{pod} in {space}" if space else pod


def _allowed(manifests):
    """Allowed connections ``{"a -> b:port"}`` from ingress rules, and from egress rules."""
    into, out_of = set(), set()
    for policy in manifests.of("NetworkPolicy").values():
        whose = _who({"podSelector": policy["spec"]["podSelector"]})
        for rule in policy["spec"].get("ingress", []):
            ports = [port["port"] for port in rule.get("ports", [{"port": "any"}])]
            into |= {f"{_who(peer)} -> {whose}:{port}" for peer in rule["from"] for port in ports}
        for rule in policy["spec"].get("egress", []):
            ports = [port["port"] for port in rule.get("ports", [{"port": "any"}])]
            out_of |= {f"{whose} -> {_who(peer)}:{port}" for peer in rule["to"] for port in ports}
    return into, out_of


NAMES = {"anyone -> kube-dns in kube-system:53", "anyone -> 169.254.20.10/32:53"}
CALLERS = {"anyone in ingress-nginx -> gateway:8000", "prometheus in monitoring -> gateway:8000"}
METRICS = {"prometheus in monitoring -> serving:8501"}


def test_traffic_is_denied_by_default(stack):
    policies = stack.of("NetworkPolicy")
    assert policies["nothing-by-default"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in policies.values():
        assert set(policy["spec"]["policyTypes"]) >= {name.title() for name in policy["spec"] if name.endswith("gress")}


@pytest.mark.parametrize(
    ("overlay", "into", "out_of"),
    [
        ("overlays/volume", {"gateway -> serving:8500", *METRICS}, {"gateway -> serving:8500"}),
        ("overlays/cpu", {"gateway -> serving:8500", *METRICS}, {"gateway -> serving:8500"}),
        ("overlays/s3", {"gateway -> serving:8500", *METRICS}, {"gateway -> serving:8500", "serving -> 0.0.0.0/0:443"}),
        ("overlays/kserve", {"gateway -> road:9000"}, {"gateway -> road:9000"}),
    ],
)
def test_allowed_traffic(overlay, into, out_of, build):
    assert _allowed(build(overlay)) == (CALLERS | into, NAMES | out_of)


def test_training_workers_reach_only_each_other(build):
    both = {"training -> training:any"}
    assert _allowed(build("training")) == (both, both)
