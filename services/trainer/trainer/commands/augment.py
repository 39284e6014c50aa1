"""``segstack data augment``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import UserError, one_line

if TYPE_CHECKING:
    from trainer.augmentation.operations import Operation

_DEFAULT: list[Any] = [
    {"shift": {"fraction": 0.1}},
    {"rotate": {"degrees": 20}},
    {"random_scale": {"range": [0.75, 1.5]}},
    "crop",
    "flip",
    {"photometric": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.02}},
    "blur",
    "copy_paste",
]
_FOLDERS = ("rgb_path", "mask_path", "label_map_path")

SUMMARY = "write augmented variants of labelled images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``augment``."""
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="a data set; its training images are augmented"
    )
    parser.add_argument("--rgb-path", "--rgb_path", type=Path, help="instead of DATA: a folder of images")
    parser.add_argument("--mask-path", "--mask_path", type=Path, help="the folder of their masks, paired by name")
    parser.add_argument(
        "--obj-mask-path", "--obj_mask_path", type=Path, help="the folder of instance masks, to paste single objects"
    )
    parser.add_argument("--label-map-path", "--label_map_path", type=Path, help="labelmap.txt, or another class file")
    parser.add_argument(
        "--bg-path", "--bg_path", type=Path, help="a folder of backgrounds, put behind the objects of half the variants"
    )
    parser.add_argument(
        "--output",
        "--output-path",
        "--output_path",
        type=Path,
        required=True,
        help="a new folder, or one to continue",
    )
    parser.add_argument(
        "--output-format",
        choices=("folders", "dataset"),
        default="folders",
        help="RGB, MASK and VIS_MASK folders, or a data set that includes the originals (default: %(default)s)",
    )
    parser.add_argument("--copies", type=int, default=5, help="variants of each image (default: %(default)s)")
    parser.add_argument(
        "--operations", type=Path, metavar="FILE", help="a YAML list of operations as in a recipe's data.augmentation"
    )
    parser.add_argument("--image-format", choices=("jpg", "png"), default="jpg", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same set (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="threads; the result does not depend on it (default: one per core)")


def run(options: argparse.Namespace) -> None:
    """Run ``augment``."""
    from trainer.augmentation.augmented_dataset import augment_dataset
    from trainer.augmentation.labelled_source import labelled_files, labelled_items
    from trainer.augmentation.variants import FACTS_NAME, Variants, augment
    from trainer.datasets.dataset import load_dataset

    folders = [name for name in _FOLDERS if getattr(options, name)]
    if bool(options.data) == bool(folders) or (folders and len(folders) < len(_FOLDERS)):
        raise UserError("give a data set, or all three of --rgb-path, --mask-path and --label-map-path")
    if options.copies < 1 or (options.workers or 1) < 1 or not 0 <= options.seed < 2**32:
        raise UserError("expected --copies and --workers of at least 1, and a --seed from 0 to 4294967295")
    variants = Variants(_operations(options), options.copies, options.seed, options.image_format)

    if options.output_format == "dataset":
        if not options.data:
            raise UserError("--output-format dataset needs a data set: run `segstack data import folder` first")
        existing = augment_dataset(load_dataset(options.data), options.output, variants, options.workers)
        return _report(existing, options.output)
    if options.data:
        dataset = load_dataset(options.data)
        images, classes = labelled_items(dataset, dataset.split("train")), dataset.classes
    else:
        images, classes = labelled_files(
            options.rgb_path, options.mask_path, options.label_map_path, options.obj_mask_path
        )
    existing = augment(images, classes, options.output, variants, workers=options.workers)
    _report(existing, options.output)
    print(
        f"import them with: segstack data import folder {options.output} --rgb RGB --gt MASK "
        f"--classes {options.output / FACTS_NAME} --group-pattern '(.*?)_aug' --output NEW_DATA_SET"
    )


def _report(existing: int, output: Path) -> None:
    print(f"augmented: {output}" + (f" ({existing} variants existed already)" if existing else ""))


def _operations(options: argparse.Namespace) -> tuple["Operation", ...]:
    import yaml
    from pydantic import ValidationError

    from trainer.augmentation.operations import RecipeOperation, create_operation
    from trainer.recipe_values import Strict, describe

    class Operations(Strict):
        operations: tuple[RecipeOperation, ...]

    content, file = _DEFAULT, "the default operations"
    if options.operations:
        file = str(options.operations)
        try:
            content = yaml.safe_load(options.operations.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"--operations {file}: cannot be read ({one_line(error)})") from None
    try:
        operations = Operations.model_validate({"operations": content}).operations
    except ValidationError as error:
        raise UserError(f"--operations {file}: {describe(error, Operations)}") from None
    if options.bg_path:
        try:
            operations = (create_operation("replace_background", folder=options.bg_path), *operations)
        except ValueError as error:
            raise UserError(str(error)) from None
    return operations
