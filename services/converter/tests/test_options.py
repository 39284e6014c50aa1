"""What the command line accepts, and what it says to the rest."""

import shutil
from pathlib import Path

import pytest

from contract import publish
from contract.repository import CARD_PATH
from converter.errors import ConverterError
from converter.options import parse


@pytest.fixture
def repository(models_root: Path, tmp_path: Path) -> Path:
    """A copy of the repository that a test may spoil."""
    return Path(shutil.copytree(models_root, tmp_path / "models_repo"))


def test_the_defaults_are_one_fp16_engine_for_single_images(models_root: Path) -> None:
    options = parse(["--input", str(models_root / "tiny")])
    assert (options.precision, options.batch_sizes, options.workspace_mb) == ("fp16", (1,), 1024)
    assert options.models_root == Path("models_repo")


def test_a_name_means_its_newest_version(repository: Path, card) -> None:
    publish(
        repository,
        card,
        write=lambda folder: shutil.copytree(repository / "tiny/1", folder, dirs_exist_ok=True) and None,
        check=lambda folder: None,
    )
    assert parse(["--input", str(repository / "tiny")]).source.version == 2
    source = parse(["--input", str(repository / "tiny" / "1")]).source
    assert (source.version, source.card) == (1, card)


def test_the_input_may_be_relative(models_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(models_root / "tiny")
    assert parse(["--input", "1"]).source.card.name == "tiny"


def test_batch_sizes_ascend_and_stand_once(models_root: Path) -> None:
    assert parse(["--input", str(models_root / "tiny"), "--batch-sizes", "4", "1", "4"]).batch_sizes == (1, 4)


def test_the_image_size_may_be_asserted(models_root: Path) -> None:
    assert parse(["--input", str(models_root / "tiny"), "--image-size", "32", "48"]).source.version == 1
    with pytest.raises(ConverterError, match=r"--image-size 48 32: tiny takes 32 48 \(height, width\)"):
        parse(["--input", str(models_root / "tiny"), "--image-size", "48", "32"])


@pytest.mark.parametrize("path", ["nothing", "tiny/7", ".", "tiny/1/variables"])
def test_what_is_no_published_model_is_refused(models_root: Path, path: str) -> None:
    with pytest.raises(ConverterError, match=r"is no published model: expected models_repo/NAME"):
        parse(["--input", str(models_root / path)])


def test_a_saved_model_without_a_card_is_refused(repository: Path) -> None:
    (repository / "tiny/1" / CARD_PATH).unlink()
    with pytest.raises(
        ConverterError, match=r"was not published by Segstack, as it has no assets.extra/model_card.json"
    ):
        parse(["--input", str(repository / "tiny")])


def test_a_card_that_breaks_the_contract_is_refused_by_its_field(repository: Path) -> None:
    path = repository / "tiny/1" / CARD_PATH
    path.write_text(path.read_text().replace('"input_height": 32', '"input_height": "tall"'))
    with pytest.raises(ConverterError, match=r"input_height: expected int, found 'tall'"):
        parse(["--input", str(repository / "tiny")])


def test_a_version_copied_under_another_name_is_refused(repository: Path) -> None:
    shutil.copytree(repository / "tiny", repository / "renamed")
    with pytest.raises(ConverterError, match="its card says it is tiny"):
        parse(["--input", str(repository / "renamed")])


def test_a_converted_model_is_not_converted_again(repository: Path) -> None:
    path = repository / "tiny/1" / CARD_PATH
    path.write_text(path.read_text().replace('"derived_from": null', '"derived_from": "small:3"'))
    with pytest.raises(ConverterError, match=r"converted already, from small:3: convert that one"):
        parse(["--input", str(repository / "tiny")])


@pytest.mark.parametrize(
    ("option", "values", "message"),
    [
        ("--precision", ["int8"], "invalid choice: 'int8'"),
        ("--batch-sizes", ["0"], "'0' is not a whole number above 0"),
        ("--workspace-mb", ["1.5"], "'1.5' is not a whole number above 0"),
        ("--min-agreement", ["0.99"], "unrecognized arguments"),
    ],
)
def test_what_it_does_not_do_is_not_accepted(models_root, capsys, option, values, message) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["--input", str(models_root / "tiny"), option, *values])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
