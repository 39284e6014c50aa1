"""Reading folders: which ones are versions, and which ones a policy selects."""

import pytest

from contract.serving_config.version_policy import All, Latest, Specific
from serving.models.manager import find_versions, parse_version, select_versions


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("7", 7),
        ("007", 7),
        ("-3", -3),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        (".tmp-5", None),
        ("5.bak", None),
        ("v5", None),
        ("5 ", None),
        ("٥", None),
        ("1_000", None),
        ("", None),
    ],
)
def test_names_that_parse_as_int64_are_versions(name, version):
    assert parse_version(name) == version


def test_find_versions(tmp_path):
    for name in ("1", "10", ".tmp-11", "latest"):
        (tmp_path / name).mkdir()
    assert find_versions(tmp_path) == {1: tmp_path / "1", 10: tmp_path / "10"}


def test_empty_base_path_differs_from_a_missing_one(tmp_path):
    assert find_versions(tmp_path) == {}
    assert find_versions(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        (Latest(1), {12}),
        (Latest(2), {3, 12}),
        (Latest(9), {1, 3, 12}),
        (All(), {1, 3, 12}),
        (Specific(frozenset({1, 99})), {1}),
    ],
    ids=str,
)
def test_policies(tmp_path, policy, chosen):
    found = {version: tmp_path / str(version) for version in (1, 12, 3)}
    assert select_versions(found, policy) == {version: found[version] for version in chosen}
    assert select_versions({}, policy) == {}
