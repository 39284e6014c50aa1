"""Pruning and removing: what is removed, and what is kept."""

import pytest

from contract import checksums, versions
from contract.repository.labels import label
from contract.repository.model import RepositoryError
from contract.repository.prune import prune, remove_version
from contract.serving_config.models_config import models

BY_HAND = "model_version_policy { %s }"


class TestPruning:
    def test_keeps_loaded_and_labelled_versions(self, root, publish_versions, leftovers):
        publish_versions(6)
        label(root, "road", "stable", 2)
        assert prune(root, "road") == [1, 3, 4]
        assert versions(root, "road") == [2, 5, 6]
        assert leftovers() == []
        assert publish_versions(1) == [7]

    def test_keep_option(self, root, publish_versions):
        publish_versions(5)
        assert prune(root, "road", keep=4) == [1]
        assert prune(root, "road", keep=1) == [2, 3]  # the policy loads two

    def test_keeps_versions_of_a_hand_written_policy_and_the_newest(self, root, publish_versions, write_config):
        publish_versions(5)
        write_config(BY_HAND % "specific { versions: [2, 9] }")
        assert prune(root, "road", keep=1) == [1, 3, 4]
        assert versions(root, "road") == [2, 5]

    def test_keeps_the_last_undamaged_versions(self, root, publish_versions, damage):
        publish_versions(5)
        damage(4)
        damage(5)
        assert prune(root, "road", keep=1) == [1, 2]
        assert versions(root, "road") == [3, 4, 5]

    def test_version_that_a_label_left_is_removed_the_second_time(self, root, publish_versions, policy):
        publish_versions(4)
        label(root, "road", "stable", 1)
        label(root, "road", "stable", 4)
        assert prune(root, "road") == [2]
        assert policy() == ("specific 3, 4", {"stable": 4})
        assert prune(root, "road") == [1]

    def test_dry_run_lists_versions_and_changes_nothing(self, root, publish_versions):
        publish_versions(4)
        (root / "road/.tmp-5").mkdir()
        (root / ".lock").unlink()
        before = sorted(root.rglob("*"))
        assert prune(root, "road", dry_run=True) == [1, 2]
        assert sorted(root.rglob("*")) == before

    def test_unlisted_model_stays_unlisted(self, root, publish_versions):
        publish_versions(3)
        (root / "models.config").write_text("")
        assert prune(root, "road") == [1]
        assert models(root / "models.config") == {}

    def test_removes_a_link_but_not_its_target(self, root, publish_versions, tmp_path):
        publish_versions(3)
        (root / "road/1").rename(tmp_path / "elsewhere")
        (root / "road/1").symlink_to(tmp_path / "elsewhere")
        assert prune(root, "road") == [1]
        assert checksums.damage(tmp_path / "elsewhere") is None


class TestRemovingOneVersion:
    def test_removes_that_version_alone(self, root, publish_versions, leftovers):
        publish_versions(5)
        remove_version(root, "road", 2)
        assert versions(root, "road") == [1, 3, 4, 5]
        assert leftovers() == []

    def test_labelled_version_is_kept(self, root, publish_versions):
        publish_versions(5)
        label(root, "road", "stable", 2)
        with pytest.raises(RepositoryError, match=r"label stable points at it.*segstack models label road stable"):
            remove_version(root, "road", 2)
        assert versions(root, "road") == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(("version", "reason"), [(4, "latest 2"), (5, "newest version")])
    def test_loaded_version_is_kept(self, root, publish_versions, version, reason):
        publish_versions(5)
        with pytest.raises(RepositoryError, match=reason):
            remove_version(root, "road", version)
        assert versions(root, "road") == [1, 2, 3, 4, 5]

    def test_version_that_a_label_just_left_can_be_removed_after_pruning(self, root, publish_versions):
        publish_versions(5)
        label(root, "road", "stable", 1)
        label(root, "road", "stable", 2)
        with pytest.raises(RepositoryError, match="segstack models prune road"):
            remove_version(root, "road", 1)
        prune(root, "road", keep=5)
        remove_version(root, "road", 1)
        assert versions(root, "road") == [2, 3, 4, 5]

    def test_last_undamaged_version_is_kept(self, root, publish_versions, damage):
        publish_versions(4)
        damage(3)
        damage(4)
        with pytest.raises(RepositoryError, match="damaged"):
            remove_version(root, "road", 2)
        remove_version(root, "road", 1)
        assert versions(root, "road") == [2, 3, 4]

    def test_unknown_version_is_an_error_that_lists_the_others(self, root, publish_versions):
        publish_versions(2)
        with pytest.raises(RepositoryError, match=r"version 9.*1, 2"):
            remove_version(root, "road", 9)
