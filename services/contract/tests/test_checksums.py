"""SHA256SUMS: what a version contained when it was published."""

import shutil
import subprocess

import pytest

from contract import checksums

SUMS = "assets.extra/SHA256SUMS"


@pytest.fixture
def version(root, publish_versions):
    publish_versions(1)
    return root / "road" / "1"


def test_every_file_but_the_checksum_file_is_listed(version):
    sums = checksums.read(version)
    assert sorted(sums) == [
        "assets.extra/model_card.json",
        "assets.extra/tf_serving_warmup_requests",
        "saved_model.pb",
    ]
    assert sums == checksums.of(version)
    assert checksums.damage(version) is None


def test_coreutils_agrees(version):
    if shutil.which("sha256sum") is None:
        return  # not on macOS; the format is the same
    check = ["sha256sum", "--strict", "-c", SUMS]
    assert subprocess.run(check, cwd=str(version), stdout=subprocess.PIPE).returncode == 0
    (version / "saved_model.pb").write_text("another graph")
    assert subprocess.run(check, cwd=str(version), capture_output=True).returncode == 1


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("saved_model.pb", "graph", "saved_model.pb differs from what was published"),
        ("saved_model.pb", None, "saved_model.pb is missing"),
        ("assets.extra/tf_serving_warmup_requests", None, "assets.extra/tf_serving_warmup_requests is missing"),
        (SUMS, "nonsense\n", "assets.extra/SHA256SUMS is damaged"),
    ],
)
def test_damage_is_named(version, path, text, sentence):
    if text is None:
        (version / path).unlink()
    else:
        (version / path).write_text(text)
    assert checksums.damage(version) == sentence


def test_version_without_checksums_needs_only_a_graph(version):
    (version / SUMS).unlink()
    (version / "saved_model.pb").write_text("another graph")
    assert checksums.read(version) is None
    assert checksums.damage(version) is None
    (version / "saved_model.pb").unlink()
    assert checksums.damage(version) == "saved_model.pb is missing"
