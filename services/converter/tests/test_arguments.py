from pathlib import Path

import pytest

from converter.arguments import parse
from converter.errors import ConverterError


@pytest.fixture
def read(models_root: Path):
    """Parse a command line that converts the published model."""
    return lambda *words: parse(["--input", str(models_root / "tiny"), *map(str, words)])


def test_the_defaults_are_one_fp16_engine_for_single_images(read) -> None:
    options = read()
    assert (options.name, options.precision, options.batch_sizes) == ("tiny-trt-fp16", "fp16", (1,))
    assert (options.workspace_mb, options.models_root) == (1024, Path("models_repo"))
    assert (options.signatures, options.images, options.dry_run) == (("serving_default",), None, False)


@pytest.mark.parametrize(("precision", "share"), [("fp32", 0.999), ("fp16", 0.995), ("int8", 0.98)])
def test_the_fewer_bits_the_more_pixels_may_change(read, precision: str, share: float) -> None:
    assert read("--precision", precision, "--calibration-data", "x").min_agreement == share
    assert read("--precision", precision, "--calibration-data", "x", "--min-agreement", "0").min_agreement == 0


def test_the_original_project_s_names_are_understood(models_root: Path, tmp_path: Path) -> None:
    options = parse(
        [
            *(
                "--input_saved_model_dir",
                str(models_root / "tiny/1"),
                "--output_saved_model_dir",
                str(tmp_path / "out"),
            ),
            *("--floating_mode", "FP32", "--image_size", "32", "48"),
        ]
    )
    assert (options.source.version, options.output, options.precision) == (1, tmp_path / "out", "fp32")
    assert options.image_size == (32, 48)


def test_batch_sizes_ascend_and_stand_once(read) -> None:
    assert read("--batch-sizes", 4, 1, 4).batch_sizes == (1, 4)


def test_more_signatures_come_after_the_one_that_is_served(read) -> None:
    assert read("--signatures", "scores", "probabilities").signatures == ("serving_default", "probabilities", "scores")


def test_the_image_size_may_be_asserted(read) -> None:
    assert read("--image-size", 32, 48).image_size == (32, 48)
    with pytest.raises(ConverterError, match=r"--image-size 48 32: tiny takes 32 48 \(height, width\)"):
        read("--image-size", 48, 32)


def test_int8_needs_images_to_calibrate_on_but_in_a_dry_run(read) -> None:
    with pytest.raises(ConverterError, match=r"--precision int8 calibrates on images .* with --calibration-data"):
        read("--precision", "int8")
    assert read("--precision", "int8", "--dry-run").dry_run


def test_an_output_that_is_there_is_left_alone(read, tmp_path: Path) -> None:
    assert read("--output", tmp_path).output == tmp_path
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConverterError, match="is there already: name a new folder"):
            read("--output", path)


def test_another_s_model_has_no_scores_to_convert(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/saved_model.pb").touch()
    with pytest.raises(ConverterError, match="--signatures: theirs was not published by Segstack"):
        parse(["--input", str(tmp_path / "theirs"), "--signatures", "scores"])


def test_a_name_that_grows_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / ("m" * 125)).mkdir()
    (tmp_path / ("m" * 125) / "saved_model.pb").touch()
    with pytest.raises(ConverterError, match=r"at most 127 .*; the converted model would be called so"):
        parse(["--input", str(tmp_path / ("m" * 125))])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--precision", "int4"], "invalid choice: 'int4'"),
        (["--batch-sizes", "0"], "'0' is not a whole number above 0"),
        (["--workspace-mb", "1.5"], "'1.5' is not a whole number above 0"),
        (["--min-agreement", "99"], "'99' is not a number from 0 to 1"),
        (["--min-agreement", "most"], "'most' is not a number from 0 to 1"),
        (["--signatures", "encoded"], "invalid choice: 'encoded'"),
        (["--output", "a", "--models-root", "b"], "choose one"),
    ],
)
def test_what_it_does_not_do_is_not_accepted(read, capsys, words, message) -> None:
    with pytest.raises(SystemExit) as stopped:
        read(*words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
