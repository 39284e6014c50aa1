"""What every command that changes the repository does."""

import pytest

from contract import CardError, ModelsConfigError
from contract.repository.labels import label, remove_label
from contract.repository.model import RepositoryError
from contract.repository.prune import prune, remove_version
from contract.repository.rollback import rollback


class TestEveryCommand:
    @pytest.fixture(
        params=[
            lambda root: label(root, "road", "stable", 1),
            lambda root: remove_label(root, "road", "stable"),
            lambda root: rollback(root, "road"),
            lambda root: prune(root, "road"),
            lambda root: remove_version(root, "road", 1),
        ],
        ids=["label", "remove_label", "rollback", "prune", "remove"],
    )
    def command(self, request):
        return request.param

    def test_removes_what_a_killed_command_left(self, root, publish_versions, command, leftovers):
        publish_versions(3)
        label(root, "road", "stable", 2)
        (root / "road/.tmp-4").mkdir()
        (root / "road/.tmp-4/saved_model.pb").write_text("gra")
        (root / ".tmp-models.config").write_text("model_conf")
        command(root)
        assert leftovers() == []

    def test_broken_models_config_is_not_changed(self, root, publish_versions, command):
        publish_versions(3)
        (root / "models.config").write_text("model_config_list {")
        before = sorted(root.rglob("*"))
        with pytest.raises(ModelsConfigError, match=r"models.config: line 1"):
            command(root)
        assert sorted(root.rglob("*")) == before
        assert (root / "models.config").read_text() == "model_config_list {"

    def test_creates_no_lock_in_an_unknown_repository(self, tmp_path, command):
        with pytest.raises(RepositoryError, match=r"model 'road' not found in .*; published models: none"):
            command(tmp_path)
        with pytest.raises(RepositoryError, match=r"model 'road' not found in .*; published models: none"):
            command(tmp_path / "nowhere")
        assert list(tmp_path.iterdir()) == []

    def test_name_outside_the_repository_is_refused(self, root, publish_versions):
        publish_versions(1)
        for name in ("../models_repo/road", ".", ""):
            with pytest.raises(CardError, match="model name"):
                label(root, name, "stable", 1)
