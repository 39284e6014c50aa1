"""``python -m trainer export``: from trained weights to a published model."""

import argparse
from pathlib import Path

from trainer.command import add_command, add_models_root
from trainer.quiet import import_tensorflow


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``export``."""
    export = add_command(commands, "export", _export, "measure, freeze and publish a run's best network")
    export.add_argument("--run", type=Path, required=True, help="the run folder")
    export.add_argument("--name", required=True, help="the model's name in the repository")
    add_models_root(export)
    export.add_argument("--split", default="test", help="what the metrics are measured on (default: %(default)s)")


def _export(options: argparse.Namespace) -> None:
    import_tensorflow()
    publish_run(options.run, options.name, options.models_root, options.split)


def publish_run(run: Path, name: str, models_root: Path, split: str) -> None:
    """Publish a run's best network and say what it is worth."""
    from trainer.evaluation import describe
    from trainer.export.publish import export_run
    from trainer.training.run import load_run

    version, card = export_run(load_run(run), name, models_root, split)
    if card.metrics:
        print(describe(card.metrics))
    print(f"published: {models_root / name / str(version)}")
