"""The command line. TensorFlow takes seconds to import, so each command imports what it needs itself."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from contract import CardError, ModelsConfigError, PublishError
from contract.card import check_model_name
from trainer.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. What a person can mend is said in one sentence, status 1."""
    options = _parser().parse_args(arguments)
    try:
        options.run_command(options)
    except (UserError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"trainer: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("trainer: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Labelled images in, a published model out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="make or import a labelled set").add_subparsers(
        required=True, metavar="COMMAND"
    )
    drawn = _command(data, "synthesize", _synthesize, "draw a small labelled set, in CVAT's export layout")
    drawn.add_argument("--output", type=Path, required=True, help="the new folder")
    drawn.add_argument("--images", type=int, default=600, help="how many (default: %(default)s)")
    _size(drawn, (192, 256))
    drawn.add_argument("--seed", type=int, default=1, help="the same seed draws the same set (default: %(default)s)")
    drawn.add_argument("--scene", type=Path, help="also draw one large scene, on a photograph the set does not use")

    cvat = _command(data, "import-cvat", _import_cvat, 'read CVAT\'s export "Segmentation mask 1.1"')
    cvat.add_argument("export", type=Path, help="the zip, or the unpacked folder")
    cvat.add_argument("--output", type=Path, required=True, help="the new data set's folder")
    cvat.add_argument("--images", type=Path, help="the images' folder, when they were not exported too")
    cvat.add_argument(
        "--trust-unlabelled", action="store_true", help="take a class also where SegmentationObject has no object"
    )
    cvat.add_argument("--split-seed", type=int, default=0, help="another one divides otherwise (default: %(default)s)")

    train = _command(commands, "train", _train, "train a network as a recipe says")
    train.add_argument("--config", type=Path, required=True, help="the recipe, a YAML file")
    train.add_argument("--run", type=Path, required=True, help="the new run folder")
    train.add_argument("--data", type=Path, help="the data set; short for --set data.path=…")
    train.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override a value, for instance epochs=20"
    )

    train.add_argument("--publish", metavar="NAME", help="then export and publish it as this model")
    _models_root(train)

    evaluate = _command(commands, "evaluate", _evaluate, "measure a published model on a split of a data set")
    evaluate.add_argument("--model", type=Path, required=True, help="models_repo/NAME, or models_repo/NAME/VERSION")
    evaluate.add_argument("--data", type=Path, required=True, help="the data set")
    evaluate.add_argument("--split", default="test", help="train, validation or test (default: %(default)s)")

    export = _command(commands, "export", _export, "measure, freeze and publish a run's best network")
    export.add_argument("--run", type=Path, required=True, help="the run folder")
    export.add_argument("--name", required=True, help="the model's name in the repository")
    _models_root(export)
    export.add_argument("--split", default="test", help="what the metrics are measured on (default: %(default)s)")
    return parser


def _command(commands: argparse._SubParsersAction, name: str, run: object, help_text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(run_command=run)
    return parser


def _models_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models-root", type=Path, default=Path("models_repo"), help="default: %(default)s")


def _size(parser: argparse.ArgumentParser, default: tuple[int, int]) -> None:
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=default,
        metavar=("HEIGHT", "WIDTH"),
        help="in pixels (default: {} {})".format(*default),
    )


def _synthesize(options: argparse.Namespace) -> None:
    from trainer.data.synthesize import draw_scene, synthesize

    height, width = options.size
    synthesize(options.output, options.images, height, width, options.seed)
    print(f"drawn: {options.images} images in {options.output}")
    if options.scene:
        draw_scene(options.scene, 768, 1024, options.seed)
        print(f"drawn: {options.scene}")


def _import_cvat(options: argparse.Namespace) -> None:
    from trainer.data.cvat import import_cvat

    print(import_cvat(options.export, options.output, options.images, options.split_seed, options.trust_unlabelled))
    print(f"imported: {options.output}")


def _import_tensorflow() -> None:
    """Import TensorFlow without its greetings, unless the person asked for them by setting its log level.

    Its C++ runtime writes them to file descriptor 2 before any of its log levels counts.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    standard_error = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
    # The v1 loader, which checks an export as TensorFlow Serving would, is deprecated and says so.
    tensorflow.get_logger().setLevel("ERROR")


def _train(options: argparse.Namespace) -> None:
    from trainer.recipe import load_recipe

    overrides = [*([f"data.path={options.data}"] if options.data else []), *options.set]
    if options.publish:
        check_model_name(options.publish)  # now, not after hours
    recipe = load_recipe(options.config, overrides)  # before TensorFlow's seconds: a typing error answers at once
    _import_tensorflow()
    from trainer.training.loop import train

    try:
        miou = train(recipe, options.run)
    except KeyboardInterrupt:
        if options.run.exists():
            print(
                f"\nThe best weights so far are in {options.run}; "
                f"`python -m trainer export --run {options.run} --name NAME` publishes them",
                file=sys.stderr,
            )
        raise
    print(f"trained: {options.run}, best validation mIoU {miou:.4f}")
    if options.publish:
        _publish(options.run, options.publish, options.models_root, "test")


def _evaluate(options: argparse.Namespace) -> None:
    _import_tensorflow()
    from trainer.data.dataset import load_dataset
    from trainer.evaluation import describe, evaluate_published

    print(describe(evaluate_published(options.model, load_dataset(options.data), options.split)))


def _export(options: argparse.Namespace) -> None:
    _import_tensorflow()
    _publish(options.run, options.name, options.models_root, options.split)


def _publish(run: Path, name: str, models_root: Path, split: str) -> None:
    from trainer.evaluation import describe
    from trainer.export.publish import export_run
    from trainer.training.run import load_run

    version, card = export_run(load_run(run), name, models_root, split)
    if card.metrics:
        print(describe(card.metrics))
    print(f"published: {models_root / name / str(version)}")
