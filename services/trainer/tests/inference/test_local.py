"""Opening runs and published models on this machine."""

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


def test_run_gives_the_results_of_its_published_model(opened, published, images):
    served = open_local(published.folder)
    np.testing.assert_array_equal(opened.masks(images), served.masks(images))
    np.testing.assert_array_equal(opened.probabilities(images), served.probabilities(images))
    assert opened.card.classes == served.card.classes
    assert opened.card.parameters == served.card.parameters
    assert opened.count_flops() == served.count_flops() == published.card.flops
    assert opened.size == served.size == (64, 96)


def test_masks_are_the_argmax_of_probabilities(opened, images):
    assert opened.probabilities is not None
    np.testing.assert_array_equal(opened.masks(images), opened.probabilities(images).argmax(-1))


def test_model_folder_opens_its_newest_version(published):
    assert open_local(published.folder.parent).name == open_local(published.folder).name == str(published.folder)


def test_any_keras_file_of_a_run_can_be_opened(run, opened, images, tmp_path):
    for name in ("recipe.yaml", "run.json", "best.keras"):
        (tmp_path / name).symlink_to(run.folder / name)
    (tmp_path / "best_loss.keras").symlink_to(run.weights)
    other = open_local(tmp_path / "best_loss.keras")
    assert other.name.endswith("best_loss.keras")
    np.testing.assert_array_equal(other.masks(images), opened.masks(images))


@pytest.mark.parametrize("path", ["nowhere", "models_repo"])
def test_path_without_network_is_a_user_error(tmp_path, path):
    (tmp_path / "models_repo").mkdir()
    with pytest.raises(UserError, match=f"{path} is not a network: expected a run folder, models_repo/NAME or"):
        open_local(tmp_path / path)


@pytest.mark.parametrize("card", [None, "{}"])
def test_saved_model_without_card_is_a_user_error(tmp_path, write_files, card):
    write_files(tmp_path, {"saved_model.pb": b""} | ({"assets.extra/model_card.json": card} if card else {}))
    with pytest.raises(UserError, match=r"has no readable model card .*`segstack export --from \S+ --name NAME "):
        open_local(tmp_path)


def test_damaged_saved_model_is_a_user_error(tmp_path, write_files, published):
    card = published.card.to_json()
    write_files(tmp_path, {"saved_model.pb": b"no graph", "assets.extra/model_card.json": card})
    with pytest.raises(UserError, match="cannot be loaded"):
        open_local(tmp_path)
