"""Rolling back: an earlier version serves again, to the byte, under the next number."""

import pytest

from contract import checksums, versions
from contract.folders import ENGINE_PATH
from contract.repository import rollback as module
from contract.repository.labels import label
from contract.repository.model import RepositoryError
from contract.repository.publish import publish_without_card
from contract.repository.rollback import Rollback, rollback
from contract.serving_config.models_config import listed


class TestRollback:
    def test_copy_equals_the_previous_version_byte_for_byte(self, root, publish_versions):
        publish_versions(3)
        assert rollback(root, "road") == Rollback(source=2, version=4, replaced=3)
        assert checksums.damage(root / "road/4") is None
        source = {p.relative_to(root / "road/2"): p.read_bytes() for p in (root / "road/2").rglob("*") if p.is_file()}
        copied = {p.relative_to(root / "road/4"): p.read_bytes() for p in (root / "road/4").rglob("*") if p.is_file()}
        assert copied == source

    def test_shares_no_file_with_its_source(self, root, publish_versions, damage):
        publish_versions(2)
        rollback(root, "road")
        damage(1)
        assert checksums.damage(root / "road/3") is None

    def test_twice_goes_two_versions_back(self, root, publish_versions):
        publish_versions(4)
        assert rollback(root, "road").source == 3
        assert rollback(root, "road").source == 2
        assert rollback(root, "road").source == 1
        with pytest.raises(RepositoryError, match=r"road has no version before 1 \(version 7 is version 1 again\)"):
            rollback(root, "road")

    def test_may_name_its_version(self, root, publish_versions):
        publish_versions(3)
        assert rollback(root, "road", to=1) == Rollback(source=1, version=4, replaced=3)
        assert rollback(root, "road", to=3) == Rollback(source=3, version=5, replaced=4)

    def test_specific_policy_includes_the_copy(self, root, publish_versions, policy):
        publish_versions(3)
        label(root, "road", "stable", 1)
        rollback(root, "road")
        assert policy() == ("specific 1, 3, 4", {"stable": 1})

    @pytest.mark.parametrize(
        ("to", "sentence"),
        [
            (2, "road 2 is already the newest version"),
            (7, "version 7 of road not found; its versions: 1, 2"),
        ],
    )
    def test_refusals(self, root, publish_versions, to, sentence):
        publish_versions(2)
        with pytest.raises(RepositoryError, match=sentence):
            rollback(root, "road", to=to)
        assert versions(root, "road") == [1, 2]

    def test_only_version_is_refused(self, root, publish_versions):
        publish_versions(1)
        with pytest.raises(RepositoryError, match="road has no version before 1"):
            rollback(root, "road")

    def test_damaged_version_is_refused(self, root, publish_versions, damage):
        publish_versions(3)
        damage(2)
        with pytest.raises(RepositoryError, match=r"road 2 is damaged: saved_model.pb differs.*--to"):
            rollback(root, "road")
        assert rollback(root, "road", to=1).version == 4

    def test_version_with_a_missing_card_is_refused_as_damaged(self, root, publish_versions):
        publish_versions(2)
        (root / "road/1/assets.extra/model_card.json").unlink()
        with pytest.raises(RepositoryError, match=r"road 1 is damaged: assets.extra/model_card.json is missing.*--to"):
            rollback(root, "road")

    def test_third_party_model_without_a_card(self, root, write_model):
        def write(folder):
            write_model(folder)
            (folder / ENGINE_PATH).parent.mkdir()
            (folder / ENGINE_PATH).write_text(f'{{"built_for": "{folder.name}"}}')

        for _ in range(2):
            publish_without_card(root, "theirs-trt-fp16", write, lambda folder: None)
        assert rollback(root, "theirs-trt-fp16") == Rollback(source=1, version=3, replaced=2)
        first, third = ((root / "theirs-trt-fp16" / version / ENGINE_PATH).read_text() for version in "13")
        assert first == third
        assert listed(root)["theirs-trt-fp16"].gpu_only

    def test_newest_version_may_be_damaged(self, root, publish_versions):
        publish_versions(2)
        (root / "road/2/assets.extra/SHA256SUMS").write_text("damaged")
        assert rollback(root, "road") == Rollback(source=1, version=3, replaced=2)

    def test_version_that_segstack_did_not_publish_needs_its_own_card(self, root, publish_versions):
        publish_versions(2)
        card = root / "road/1/assets.extra/model_card.json"
        (root / "road/1/assets.extra/SHA256SUMS").unlink()
        card.write_text(card.read_text().replace('"road"', '"signs"', 1))
        with pytest.raises(RepositoryError, match="road 1 was published as signs"):
            rollback(root, "road")
        card.write_text("{}")
        with pytest.raises(RepositoryError, match=r"model_card.json: model card has schema_version None"):
            rollback(root, "road")
        card.unlink()
        with pytest.raises(RepositoryError, match=r"road 1 has no assets.extra/model_card.json"):
            rollback(root, "road")
        assert versions(root, "road") == [1, 2]

    def test_wrong_copy_leaves_nothing(self, root, publish_versions, monkeypatch, leftovers):
        publish_versions(2)
        copy = module._copy

        def copy_badly(source, folder):
            copy(source, folder)
            (folder / "saved_model.pb").write_text("another graph")

        monkeypatch.setattr(module, "_copy", copy_badly)
        with pytest.raises(RepositoryError, match=r"saved_model.pb differs in the copy"):
            rollback(root, "road")
        assert versions(root, "road") == [1, 2]
        assert leftovers() == []
