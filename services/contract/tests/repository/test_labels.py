"""Labels: the versions that they keep loaded, moving and removing them, and hand-written policies."""

import pytest

from contract import versions
from contract.repository.labels import label, remove_label
from contract.repository.model import RepositoryError
from contract.repository.prune import prune
from contract.repository.rollback import rollback
from contract.serving_config.models_config import models

BY_HAND = "model_version_policy { %s }"


class TestLabel:
    def test_its_version_stays_loaded_with_the_two_newest(self, root, publish_versions, policy):
        publish_versions(4)
        assert policy() == ("latest 2", {})
        assert label(root, "road", "stable", 1) is None
        assert policy() == ("specific 1, 3, 4", {"stable": 1})

    def test_is_kept_by_publishing_which_adds_the_new_version(self, root, publish_versions, policy):
        publish_versions(2)
        label(root, "road", "stable", 1)
        assert policy() == ("specific 1, 2", {"stable": 1})
        publish_versions(2)
        assert policy() == ("specific 1, 3, 4", {"stable": 1})

    def test_version_it_leaves_stays_loaded_until_the_next_publish(self, root, publish_versions, policy):
        publish_versions(4)
        label(root, "road", "stable", 1)
        assert label(root, "road", "stable", 4) == 1
        assert policy() == ("specific 1, 3, 4", {"stable": 4})
        publish_versions(1)
        assert policy() == ("specific 4, 5", {"stable": 4})

    def test_removing_it_restores_the_policy(self, root, publish_versions, policy):
        publish_versions(4)
        label(root, "road", "stable", 1)
        label(root, "road", "canary", 2)
        assert remove_label(root, "road", "stable") == 1
        assert policy() == ("specific 2, 3, 4", {"canary": 2})
        assert remove_label(root, "road", "canary") == 2
        assert policy() == ("latest 2", {})

    def test_setting_it_twice_changes_nothing(self, root, publish_versions, written):
        publish_versions(3)
        label(root, "road", "stable", 3)
        before = written(root / "models.config")
        assert label(root, "road", "stable", 3) == 3
        assert written(root / "models.config") == before

    def test_may_contain_quotes_and_backslashes(self, root, publish_versions, policy):
        publish_versions(1)
        label(root, "road", 'the "good" one\\é', 1)
        assert policy() == ("specific 1", {'the "good" one\\é': 1})

    def test_lists_a_model_that_a_killed_publisher_did_not_list(self, root, publish_versions, policy):
        publish_versions(1)
        (root / "models.config").unlink()
        label(root, "road", "stable", 1)
        assert policy() == ("specific 1", {"stable": 1})

    @pytest.mark.parametrize(
        ("name", "text", "version", "sentence"),
        [
            ("road", "stable", 9, "version 9 of road not found; its versions: 1, 2, 3"),
            ("raod", "stable", 1, "model 'raod' not found in .*; published models: road"),
            ("road", " ", 1, "label ' ': expected a word such as stable or canary"),
            ("road", "a\nb", 1, "expected a word"),
        ],
    )
    def test_refusals(self, root, publish_versions, written, name, text, version, sentence):
        publish_versions(3)
        before = written(root / "models.config")
        with pytest.raises(RepositoryError, match=sentence):
            label(root, name, text, version)
        assert written(root / "models.config") == before

    def test_damaged_version_is_refused(self, root, publish_versions, policy, damage):
        publish_versions(2)
        damage(2)
        with pytest.raises(RepositoryError, match=r"road 2 is damaged: saved_model.pb"):
            label(root, "road", "stable", 2)
        assert policy() == ("latest 2", {})

    def test_unknown_label_cannot_be_removed(self, root, publish_versions):
        publish_versions(1)
        label(root, "road", "stable", 1)
        with pytest.raises(RepositoryError, match="label 'canary' of road not found; its labels: stable"):
            remove_label(root, "road", "canary")


class TestHandWrittenPolicy:
    @pytest.mark.parametrize("text", ["all {}", "latest { num_versions: 3 }", "specific { versions: [1, 3] }"])
    def test_is_never_changed(self, root, publish_versions, write_config, policy, text):
        publish_versions(3)
        write_config(BY_HAND % text)
        before, _ = policy()
        label(root, "road", "stable", 1)
        publish_versions(1)
        remove_label(root, "road", "stable")
        prune(root, "road")
        assert policy() == (before, {})

    def test_label_on_a_version_that_it_does_not_load_is_refused(self, root, publish_versions, write_config, policy):
        publish_versions(4)
        write_config(BY_HAND % "latest { num_versions: 3 }")
        with pytest.raises(
            RepositoryError, match=r"\(latest 3\) does not load version 1.*latest \{ num_versions: 2 \}"
        ):
            label(root, "road", "stable", 1)
        assert policy() == ("latest 3", {})

    def test_no_policy_counts_as_hand_written(self, root, publish_versions, write_config, policy):
        publish_versions(3)
        write_config("")
        with pytest.raises(RepositoryError, match=r"hand-written policy of road \(latest 1\)"):
            label(root, "road", "stable", 2)

    def test_removing_its_name_from_the_comment_makes_a_policy_hand_written(self, root, publish_versions, policy):
        publish_versions(3)
        label(root, "road", "stable", 1)
        text = (root / "models.config").read_text()
        assert "take a name out to keep one as it stands: road\n" in text
        (root / "models.config").write_text(text.replace("stands: road\n", "stands: \n"))
        publish_versions(1)
        assert policy() == ("specific 1, 2, 3", {"stable": 1})

    def test_those_of_other_models_are_kept_too(self, root, publish_versions):
        publish_versions(3)
        publish_versions(3, "signs")
        label(root, "road", "stable", 1)
        label(root, "signs", "stable", 1)
        publish_versions(1, "signs")
        publish_versions(1, "road")
        assert [str(model.policy) for model in models(root / "models.config").values()] == ["specific 1, 3, 4"] * 2

    def test_rollback_under_a_specific_policy_is_refused(self, root, publish_versions, write_config):
        publish_versions(3)
        write_config(BY_HAND % "specific { versions: 3 }")
        with pytest.raises(RepositoryError, match=r"\(specific 3\) would not load a new version"):
            rollback(root, "road")
        assert versions(root, "road") == [1, 2, 3]
