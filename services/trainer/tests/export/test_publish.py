"""Publishing a run: a card with its origin, and nothing in the repository when something is wrong."""

import hashlib
import shutil
import subprocess
from datetime import UTC, datetime

import keras
import pytest
import tensorflow as tf

from contract import ClassInfo, __version__, versions
from trainer.datasets.dataset import Dataset, load_dataset
from trainer.errors import UserError
from trainer.evaluation.evaluate import evaluate
from trainer.export import publish
from trainer.export.publish import export_run
from trainer.inference.local import open_local
from trainer.runs import RunFolder


class TestRepository:
    def test_holds_model_card_and_warm_up(self, published):
        files = {p.relative_to(published.folder).as_posix() for p in published.folder.rglob("*") if p.is_file()}
        assert {
            "saved_model.pb",
            "assets.extra/model_card.json",
            "assets.extra/tf_serving_warmup_requests",
        } <= files
        assert "name: 'small'" in (published.models_root / "models.config").read_text().replace('"', "'")

    def test_holds_nothing_of_an_export_whose_check_failed(self, run, tmp_path, monkeypatch):
        def failing(folder, card):
            raise UserError(f"{folder} was complete: {sorted(p.name for p in publish.Path(folder).iterdir())}")

        monkeypatch.setattr(publish, "check_saved_model", failing)
        with pytest.raises(UserError, match=r"was complete: .*assets\.extra.*saved_model\.pb"):
            export_run(run, "small", tmp_path, "test")
        assert versions(tmp_path, "small") == []
        assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [".lock"]


class TestCard:
    def test_is_the_run_s(self, published, run, dataset):
        card = published.card
        assert (card.name, card.architecture) == ("small", "ddrnet23_slim")
        assert (card.input_height, card.input_width) == (64, 96)
        assert card.classes == run.classes == dataset.classes
        assert card.frameworks == {
            "segstack": __version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        }
        published_at = datetime.fromtimestamp(published.folder.stat().st_mtime, UTC)
        assert abs((published_at - datetime.fromisoformat(card.created_at)).total_seconds()) < 600

    def test_counts_what_is_served_and_not_the_auxiliary_head(self, published, run):
        trained = keras.models.load_model(run.weights, compile=False)
        served = keras.Model(trained.input, trained.output["logits"])
        assert published.card.parameters == sum(v.numpy().size for v in served.trainable_weights)
        digest = hashlib.sha256(b"".join(v.numpy().tobytes() for v in served.weights))
        assert published.card.weights_sha256 == digest.hexdigest()

    def test_its_flops_are_the_paper_s(self, published):
        """36.3 GFLOPs (multiply-adds) at 1024x2048, so twice that in operations; most grow with the pixels."""
        expected = 2 * 36.3e9 * (64 * 96) / (1024 * 2048)
        assert published.card.flops == pytest.approx(expected, rel=0.1)

    def test_names_the_commit_where_there_is_one(self, published):
        def git(*words):
            return subprocess.run(
                ["git", "-C", str(publish.Path(publish.__file__).parent), *words], capture_output=True, check=False
            )

        revision = published.card.git_revision
        assert (revision is not None) == (git("rev-parse", "HEAD").returncode == 0)
        assert revision is None or git("cat-file", "-t", revision.removesuffix("-dirty")).stdout == b"commit\n"

    def test_its_metrics_are_those_of_the_published_graph(self, published, dataset):
        assert published.card.metrics.split == "test"
        assert published.card.metrics.images == len(dataset.split("test"))
        assert evaluate(open_local(published.folder), dataset, "test").card_metrics == published.card.metrics


class TestUserErrors:
    @pytest.fixture
    def movable(self, run, dataset, tmp_path):
        """The run with a copy of its data set, to be damaged."""
        folder = tmp_path / "run"
        shutil.copytree(run.folder, folder)
        shutil.copy(dataset.root / "dataset.json", tmp_path)
        recipe = (folder / "recipe.yaml").read_text().replace(str(dataset.root), str(tmp_path))
        (folder / "recipe.yaml").write_text(recipe)
        return RunFolder(folder).load()

    def test_changed_classes(self, movable, tmp_path):
        found = load_dataset(tmp_path)
        renamed = (found.classes[0], ClassInfo(1, "pear", (1, 2, 3)), *found.classes[2:])
        Dataset(tmp_path, renamed, found.items).save()
        with pytest.raises(UserError, match=r"has different classes than when .*: train again"):
            export_run(movable, "small", tmp_path / "models_repo", "test")
        assert not (tmp_path / "models_repo").exists()

    def test_missing_images(self, movable, tmp_path):
        with pytest.raises(UserError, match=r"images/.*\.jpg or masks/.*\.png cannot be read: import the labels again"):
            export_run(movable, "small", tmp_path / "models_repo", "test")
        assert not (tmp_path / "models_repo").exists()
