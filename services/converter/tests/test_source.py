"""What can be converted: a published version, or a third-party SavedModel."""

import shutil
from pathlib import Path

import pytest

from contract import publish
from contract.folders import CARD_PATH, ENGINE_PATH
from converter.errors import ConverterError
from converter.source import find_source


@pytest.fixture
def repository(models_root: Path, tmp_path: Path) -> Path:
    """A copy of the repository that a test may change."""
    return Path(shutil.copytree(models_root, tmp_path / "models_repo"))


def test_name_means_its_newest_version(repository: Path, card) -> None:
    publish(
        repository,
        card,
        write=lambda folder: shutil.copytree(repository / "tiny/1", folder, dirs_exist_ok=True) and None,
        check=lambda folder: None,
    )
    assert find_source(repository / "tiny").version == 2
    source = find_source(repository / "tiny" / "1")
    assert (str(source), source.card) == ("tiny:1", card)


def test_path_may_be_relative(models_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models_root / "tiny")
    assert find_source(Path("1")).name == "tiny"


@pytest.mark.parametrize("path", ["nothing", "tiny/7", ".", "tiny/1/variables"])
def test_path_without_a_model_is_refused(models_root: Path, path: str) -> None:
    with pytest.raises(
        ConverterError, match=r"is not a model: expected models_repo/NAME, .*or the folder of a SavedModel"
    ):
        find_source(models_root / path)


@pytest.mark.parametrize(
    ("folder", "name", "version"),
    [("third_party/1", "third_party", 1), ("third_party", "third_party", None), ("export-3", "export-3", None)],
)
def test_third_party_model_is_named_after_its_folder(tmp_path: Path, folder, name, version) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "saved_model.pb").touch()
    source = find_source(tmp_path / folder)
    assert (source.name, source.version, source.card) == (name, version, None)


def test_invalid_folder_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my model").mkdir()
    (tmp_path / "my model/saved_model.pb").touch()
    with pytest.raises(ConverterError, match=r"model name 'my model': expected .*; rename the folder"):
        find_source(tmp_path / "my model")


def test_invalid_card_is_refused_by_field(repository: Path) -> None:
    path = repository / "tiny/1" / CARD_PATH
    path.write_text(path.read_text().replace('"input_height": 32', '"input_height": "tall"'))
    with pytest.raises(ConverterError, match=r"input_height: expected int, found 'tall'"):
        find_source(repository / "tiny")


@pytest.mark.parametrize("folder", ["renamed/1", "tiny/copy"])
def test_copied_version_is_refused(repository: Path, folder: str) -> None:
    shutil.copytree(repository / "tiny/1", repository / folder)
    with pytest.raises(ConverterError, match="its card says tiny"):
        find_source(repository / folder)


def test_converted_model_is_refused(repository: Path) -> None:
    path = repository / "tiny/1" / CARD_PATH
    path.write_text(path.read_text().replace('"derived_from": null', '"derived_from": "small:3"'))
    with pytest.raises(ConverterError, match=r"already converted: convert small:3"):
        find_source(repository / "tiny")
    path.unlink()
    (repository / "tiny/1" / ENGINE_PATH).touch()
    with pytest.raises(ConverterError, match="is already converted"):
        find_source(repository / "tiny")
