"""Opening what is on this machine."""

import numpy as np
import pytest

from trainer.errors import UserError
from trainer.inference.local import open_local


@pytest.fixture(scope="module")
def opened(run):
    return open_local(run.folder)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), np.uint8)


def test_a_run_answers_as_what_is_published_of_it(opened, published, images):
    served = open_local(published.folder)
    np.testing.assert_array_equal(opened.masks(images), served.masks(images))
    np.testing.assert_array_equal(opened.probabilities(images), served.probabilities(images))
    assert opened.card.classes == served.card.classes
    assert opened.card.parameters == served.card.parameters
    assert opened.count_flops() == served.count_flops() == published.card.flops
    assert opened.size == served.size == (64, 96)


def test_masks_are_where_probabilities_are_highest(opened, images):
    assert opened.probabilities is not None
    np.testing.assert_array_equal(opened.masks(images), opened.probabilities(images).argmax(-1))


def test_a_model_is_its_newest_version_unless_one_is_named(published):
    assert open_local(published.folder.parent).name == open_local(published.folder).name == str(published.folder)


def test_another_file_of_a_run_is_named_as_it_is(run, opened, images, tmp_path):
    for name in ("recipe.yaml", "run.json", "best.keras"):
        (tmp_path / name).symlink_to(run.folder / name)
    (tmp_path / "best_loss.keras").symlink_to(run.weights)
    other = open_local(tmp_path / "best_loss.keras")
    assert other.name.endswith("best_loss.keras")
    np.testing.assert_array_equal(other.masks(images), opened.masks(images))


@pytest.mark.parametrize("path", ["nowhere", "models_repo"])
def test_it_must_be_there(tmp_path, path):
    (tmp_path / "models_repo").mkdir()
    with pytest.raises(UserError, match=f"{path} holds no network: expected a run folder, models_repo/NAME or"):
        open_local(tmp_path / path)


@pytest.mark.parametrize("card", [None, "{}"])
def test_a_saved_model_must_have_a_card(tmp_path, write_files, card):
    write_files(tmp_path, {"saved_model.pb": b""} | ({"assets.extra/model_card.json": card} if card else {}))
    with pytest.raises(UserError, match=r"has no readable model card .*`python -m trainer export --from` publishes it"):
        open_local(tmp_path)


def test_a_damaged_saved_model_is_said_to_be_one(tmp_path, write_files, published):
    card = published.card.to_json()
    write_files(tmp_path, {"saved_model.pb": b"no graph", "assets.extra/model_card.json": card})
    with pytest.raises(UserError, match="cannot be loaded"):
        open_local(tmp_path)
