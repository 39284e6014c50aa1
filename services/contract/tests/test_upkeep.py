"""Labels, rolling back and pruning: what they do to the repository, and what they refuse."""

import pytest

from contract import ModelsConfigError, checksums, upkeep, versions
from contract.models_config import models
from contract.upkeep import Rollback, UpkeepError, label, prune, remove_label, rollback

BY_HAND = "model_version_policy { %s }"


@pytest.fixture
def policy(root):
    """What models.config says of ``road``: its policy in words, and its labels."""

    def policy():
        listed = models(root / "models.config")["road"]
        return str(listed.policy), dict(listed.labels)

    return policy


def damage(root, version):
    (root / "road" / str(version) / "saved_model.pb").write_text("damaged")


def leftovers(root):
    return sorted(path.name for path in root.rglob(".tmp-*"))


class TestALabel:
    def test_keeps_its_version_loaded_beside_the_two_newest(self, root, publish_versions, policy):
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

    def test_that_moves_leaves_its_version_loaded_until_the_next_publish(self, root, publish_versions, policy):
        publish_versions(4)
        label(root, "road", "stable", 1)
        assert label(root, "road", "stable", 4) == 1
        assert policy() == ("specific 1, 3, 4", {"stable": 4})
        publish_versions(1)
        assert policy() == ("specific 4, 5", {"stable": 4})

    def test_that_is_removed_gives_the_policy_back(self, root, publish_versions, policy):
        publish_versions(4)
        label(root, "road", "stable", 1)
        label(root, "road", "canary", 2)
        assert remove_label(root, "road", "stable") == 1
        assert policy() == ("specific 2, 3, 4", {"canary": 2})
        assert remove_label(root, "road", "canary") == 2
        assert policy() == ("latest 2", {})

    def test_said_twice_changes_nothing(self, root, publish_versions):
        publish_versions(3)
        label(root, "road", "stable", 3)
        before = (root / "models.config").stat()
        assert label(root, "road", "stable", 3) == 3
        assert (root / "models.config").stat() == before

    def test_may_hold_whatever_a_string_may(self, root, publish_versions, policy):
        publish_versions(1)
        label(root, "road", 'the "good" one\\é', 1)
        assert policy() == ("specific 1", {'the "good" one\\é': 1})

    def test_lists_a_model_that_a_killed_publisher_left_unlisted(self, root, publish_versions, policy):
        publish_versions(1)
        (root / "models.config").unlink()
        label(root, "road", "stable", 1)
        assert policy() == ("specific 1", {"stable": 1})

    @pytest.mark.parametrize(
        ("name", "text", "version", "sentence"),
        [
            ("road", "stable", 9, "road has no version 9: it has 1, 2, 3"),
            ("raod", "stable", 1, "has no published model 'raod': it has road"),
            ("road", " ", 1, "label ' ': expected a word such as stable or canary"),
            ("road", "a\nb", 1, "expected a word"),
        ],
    )
    def test_is_refused(self, root, publish_versions, name, text, version, sentence):
        publish_versions(3)
        before = (root / "models.config").stat()
        with pytest.raises(UpkeepError, match=sentence):
            label(root, name, text, version)
        assert (root / "models.config").stat() == before

    def test_on_a_damaged_version_is_refused(self, root, publish_versions, policy):
        publish_versions(2)
        damage(root, 2)
        with pytest.raises(UpkeepError, match=r"road 2 is damaged: saved_model.pb is not what was published"):
            label(root, "road", "stable", 2)
        assert policy() == ("latest 2", {})

    def test_that_is_not_there_cannot_be_removed(self, root, publish_versions):
        publish_versions(1)
        label(root, "road", "stable", 1)
        with pytest.raises(UpkeepError, match="road has no label 'canary': it has stable"):
            remove_label(root, "road", "canary")


class TestAPolicyWrittenByHand:
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

    def test_that_would_not_load_the_version_refuses_its_label(self, root, publish_versions, write_config, policy):
        publish_versions(4)
        write_config(BY_HAND % "latest { num_versions: 3 }")
        with pytest.raises(UpkeepError, match=r"written by hand \(latest 3\) and does not load version 1"):
            label(root, "road", "stable", 1)
        assert policy() == ("latest 3", {})

    def test_none_at_all_is_one(self, root, publish_versions, write_config, policy):
        publish_versions(3)
        write_config("")
        with pytest.raises(UpkeepError, match=r"written by hand \(latest 1\)"):
            label(root, "road", "stable", 2)

    def test_a_person_may_take_one_over(self, root, publish_versions, policy):
        publish_versions(3)
        label(root, "road", "stable", 1)
        text = (root / "models.config").read_text()
        assert "take a name out to keep one as it stands: road\n" in text
        (root / "models.config").write_text(text.replace("stands: road\n", "stands: \n"))
        publish_versions(1)
        assert policy() == ("specific 1, 2, 3", {"stable": 1})

    def test_of_another_model_stays_too(self, root, publish_versions):
        publish_versions(3)
        publish_versions(3, "signs")
        label(root, "road", "stable", 1)
        label(root, "signs", "stable", 1)
        publish_versions(1, "signs")
        publish_versions(1, "road")
        assert [str(model.policy) for model in models(root / "models.config").values()] == ["specific 1, 3, 4"] * 2

    def test_that_loads_certain_versions_alone_refuses_a_rollback(self, root, publish_versions, write_config):
        publish_versions(3)
        write_config(BY_HAND % "specific { versions: 3 }")
        with pytest.raises(UpkeepError, match=r"written by hand \(specific 3\), so a new version would not be loaded"):
            rollback(root, "road")
        assert versions(root, "road") == [1, 2, 3]


class TestARollback:
    def test_publishes_the_version_before_again_to_the_byte(self, root, publish_versions):
        publish_versions(3)
        assert rollback(root, "road") == Rollback(source=2, version=4, replaced=3)
        assert checksums.damage(root / "road/4") is None
        source = {p.relative_to(root / "road/2"): p.read_bytes() for p in (root / "road/2").rglob("*") if p.is_file()}
        copied = {p.relative_to(root / "road/4"): p.read_bytes() for p in (root / "road/4").rglob("*") if p.is_file()}
        assert copied == source

    def test_shares_no_file_with_its_source(self, root, publish_versions):
        publish_versions(2)
        rollback(root, "road")
        damage(root, 1)
        assert checksums.damage(root / "road/3") is None

    def test_twice_goes_two_versions_back(self, root, publish_versions):
        publish_versions(4)
        assert rollback(root, "road").source == 3
        assert rollback(root, "road").source == 2
        assert rollback(root, "road").source == 1
        with pytest.raises(UpkeepError, match=r"road has no version before 1 \(version 7 is version 1 again\)"):
            rollback(root, "road")

    def test_may_name_its_version(self, root, publish_versions):
        publish_versions(3)
        assert rollback(root, "road", to=1) == Rollback(source=1, version=4, replaced=3)
        assert rollback(root, "road", to=3) == Rollback(source=3, version=5, replaced=4)

    def test_takes_the_labels_policy_along(self, root, publish_versions, policy):
        publish_versions(3)
        label(root, "road", "stable", 1)
        rollback(root, "road")
        assert policy() == ("specific 1, 3, 4", {"stable": 1})

    @pytest.mark.parametrize(
        ("to", "sentence"),
        [
            (2, "road 2 is the newest version and serves already: name an earlier one"),
            (7, "road has no version 7: it has 1, 2"),
        ],
    )
    def test_is_refused(self, root, publish_versions, to, sentence):
        publish_versions(2)
        with pytest.raises(UpkeepError, match=sentence):
            rollback(root, "road", to=to)
        assert versions(root, "road") == [1, 2]

    def test_of_the_only_version_is_refused(self, root, publish_versions):
        publish_versions(1)
        with pytest.raises(UpkeepError, match="road has no version before 1"):
            rollback(root, "road")

    def test_to_a_damaged_version_is_refused(self, root, publish_versions):
        publish_versions(3)
        damage(root, 2)
        with pytest.raises(UpkeepError, match=r"road 2 is damaged: saved_model.pb is not what was published; name an"):
            rollback(root, "road")
        assert rollback(root, "road", to=1).version == 4

    def test_from_a_damaged_version_is_what_it_is_for(self, root, publish_versions):
        publish_versions(2)
        (root / "road/2/assets.extra/SHA256SUMS").write_text("damaged")
        assert rollback(root, "road") == Rollback(source=1, version=3, replaced=2)

    def test_of_a_version_that_segstack_did_not_publish_needs_a_card_of_its_own(self, root, publish_versions):
        publish_versions(2)
        card = root / "road/1/assets.extra/model_card.json"
        (root / "road/1/assets.extra/SHA256SUMS").unlink()
        card.write_text(card.read_text().replace('"road"', '"signs"', 1))
        with pytest.raises(UpkeepError, match="road 1 was published as signs"):
            rollback(root, "road")
        card.write_text("{}")
        with pytest.raises(UpkeepError, match=r"model_card.json: model card has schema_version None"):
            rollback(root, "road")
        card.unlink()
        with pytest.raises(UpkeepError, match=r"road 1 has no assets.extra/model_card.json"):
            rollback(root, "road")
        assert versions(root, "road") == [1, 2]

    def test_that_copies_badly_leaves_nothing(self, root, publish_versions, monkeypatch):
        publish_versions(2)
        copy = upkeep._copy

        def copy_badly(source, folder):
            copy(source, folder)
            (folder / "saved_model.pb").write_text("another graph")

        monkeypatch.setattr(upkeep, "_copy", copy_badly)
        with pytest.raises(UpkeepError, match=r"saved_model.pb came out differently in the copy"):
            rollback(root, "road")
        assert versions(root, "road") == [1, 2]
        assert leftovers(root) == []


class TestPruning:
    def test_keeps_what_is_loaded_and_what_is_labelled(self, root, publish_versions):
        publish_versions(6)
        label(root, "road", "stable", 2)
        assert prune(root, "road") == [1, 3, 4]
        assert versions(root, "road") == [2, 5, 6]
        assert leftovers(root) == []
        assert publish_versions(1) == [7]

    def test_keeps_as_many_as_asked(self, root, publish_versions):
        publish_versions(5)
        assert prune(root, "road", keep=4) == [1]
        assert prune(root, "road", keep=1) == [2, 3]  # the policy loads two

    def test_keeps_what_a_policy_written_by_hand_loads_and_the_newest(self, root, publish_versions, write_config):
        publish_versions(5)
        write_config(BY_HAND % "specific { versions: [2, 9] }")
        assert prune(root, "road", keep=1) == [1, 3, 4]
        assert versions(root, "road") == [2, 5]

    def test_keeps_the_last_whole_versions_below_damaged_ones(self, root, publish_versions):
        publish_versions(5)
        damage(root, 4)
        damage(root, 5)
        assert prune(root, "road", keep=1) == [1, 2]
        assert versions(root, "road") == [3, 4, 5]

    def test_lets_go_of_what_a_label_has_left_in_two_steps(self, root, publish_versions, policy):
        publish_versions(4)
        label(root, "road", "stable", 1)
        label(root, "road", "stable", 4)
        assert prune(root, "road") == [2]
        assert policy() == ("specific 3, 4", {"stable": 4})
        assert prune(root, "road") == [1]

    def test_dry_says_what_would_go_and_touches_nothing(self, root, publish_versions):
        publish_versions(4)
        (root / "road/.tmp-5").mkdir()
        (root / ".lock").unlink()
        before = sorted(root.rglob("*"))
        assert prune(root, "road", dry_run=True) == [1, 2]
        assert sorted(root.rglob("*")) == before

    def test_does_not_list_a_model_that_is_not_listed(self, root, publish_versions):
        publish_versions(3)
        (root / "models.config").write_text("")
        assert prune(root, "road") == [1]
        assert models(root / "models.config") == {}

    def test_removes_a_link_and_not_what_it_leads_to(self, root, publish_versions, tmp_path):
        publish_versions(3)
        (root / "road/1").rename(tmp_path / "elsewhere")
        (root / "road/1").symlink_to(tmp_path / "elsewhere")
        assert prune(root, "road") == [1]
        assert checksums.damage(tmp_path / "elsewhere") is None


class TestEveryCommand:
    @pytest.fixture(
        params=[
            lambda root: label(root, "road", "stable", 1),
            lambda root: remove_label(root, "road", "stable"),
            lambda root: rollback(root, "road"),
            lambda root: prune(root, "road"),
        ],
        ids=["label", "remove_label", "rollback", "prune"],
    )
    def command(self, request):
        return request.param

    def test_clears_what_a_killed_one_left(self, root, publish_versions, command):
        publish_versions(3)
        label(root, "road", "stable", 2)
        (root / "road/.tmp-4").mkdir()
        (root / "road/.tmp-4/saved_model.pb").write_text("gra")
        (root / ".tmp-models.config").write_text("model_conf")
        command(root)
        assert leftovers(root) == []

    def test_leaves_a_broken_models_config_alone(self, root, publish_versions, command):
        publish_versions(3)
        (root / "models.config").write_text("model_config_list {")
        before = sorted(root.rglob("*"))
        with pytest.raises(ModelsConfigError, match=r"models.config: line 1"):
            command(root)
        assert sorted(root.rglob("*")) == before
        assert (root / "models.config").read_text() == "model_config_list {"

    def test_makes_no_lock_where_there_is_no_repository(self, tmp_path, command):
        with pytest.raises(UpkeepError, match="has no published model 'road': it has none"):
            command(tmp_path)
        with pytest.raises(UpkeepError, match="has no published model 'road': it has none"):
            command(tmp_path / "nowhere")
        assert list(tmp_path.iterdir()) == []
