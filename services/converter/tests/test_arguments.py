from pathlib import Path

import pytest

from converter.arguments import parse
from converter.errors import ConverterError


@pytest.fixture
def read(models_root: Path):
    """Parse a command line that converts the published model."""
    return lambda *words: parse([str(models_root / "tiny"), *map(str, words)])


def test_defaults_are_one_fp16_engine_for_batch_size_1(read) -> None:
    options = read()
    assert (options.name, options.precision, options.batch_sizes) == ("tiny-trt-fp16", "fp16", (1,))
    assert (options.workspace_mb, options.models_root) == (1024, Path("models_repo"))
    assert (options.signatures, options.images, options.dry_run) == (("serving_default",), None, False)


@pytest.mark.parametrize(("precision", "fraction"), [("fp32", 0.999), ("fp16", 0.995), ("int8", 0.98)])
def test_min_agreement_depends_on_precision(read, precision: str, fraction: float) -> None:
    assert read("--precision", precision, "--calibration-data", "x").min_agreement == fraction
    assert read("--precision", precision, "--calibration-data", "x", "--min-agreement", "0").min_agreement == 0


def test_former_spellings_are_accepted(models_root: Path, tmp_path: Path) -> None:
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
    assert parse(["--input", str(models_root / "tiny")]) == parse([str(models_root / "tiny")])


def test_former_spellings_are_not_in_the_help(capsys) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert not [
        old for old in ("--input", "floating_mode", "image_size", "saved_model_dir") if old in capsys.readouterr().out
    ]


@pytest.mark.parametrize("words", [[], ["model", "--input", "model"]])
def test_exactly_one_model_is_required(words, capsys) -> None:
    with pytest.raises(SystemExit):
        parse(words)
    assert "MODEL" in capsys.readouterr().err.splitlines()[-1]


def test_batch_sizes_are_sorted_and_unique(read) -> None:
    assert read("--batch-sizes", 4, 1, 4).batch_sizes == (1, 4)


def test_serving_default_is_the_first_signature(read) -> None:
    assert read("--signatures", "scores", "probabilities").signatures == ("serving_default", "probabilities", "scores")


def test_image_size_must_match_the_card(read) -> None:
    assert read("--image-size", 32, 48).image_size == (32, 48)
    with pytest.raises(ConverterError, match=r"--image-size 48 32: tiny takes 32 48 \(height, width\)"):
        read("--image-size", 48, 32)


def test_int8_needs_calibration_data_except_in_a_dry_run(read) -> None:
    with pytest.raises(ConverterError, match=r"--precision int8 needs images .* with --calibration-data"):
        read("--precision", "int8")
    assert read("--precision", "int8", "--dry-run").dry_run


def test_existing_output_is_refused(read, tmp_path: Path) -> None:
    assert read("--output", tmp_path).output == tmp_path
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConverterError, match="already exists: choose a new folder"):
            read("--output", path)


def test_third_party_model_takes_no_signatures(tmp_path: Path) -> None:
    (tmp_path / "third_party").mkdir()
    (tmp_path / "third_party/saved_model.pb").touch()
    with pytest.raises(ConverterError, match="--signatures: third_party was not published by Segstack"):
        parse([str(tmp_path / "third_party"), "--signatures", "scores"])


def test_converted_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / ("m" * 125)).mkdir()
    (tmp_path / ("m" * 125) / "saved_model.pb").touch()
    with pytest.raises(ConverterError, match=r"converted model's name .* at most 127"):
        parse([str(tmp_path / ("m" * 125))])


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
def test_invalid_option_exits_with_2(read, capsys, words, message) -> None:
    with pytest.raises(SystemExit) as stopped:
        read(*words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
