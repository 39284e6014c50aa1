"""A conversion from one end to the other: rewritten, converted, compared, and published if it agrees."""

import dataclasses
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from contract import SERVING_DEFAULT, ModelCard, publish, publish_without_card, signatures
from contract.durable import sync, sync_tree
from contract.folders import ENGINE_PATH
from contract.warmup import WARMUP_PATH
from converter import images
from converter.arguments import Options
from converter.card import converted_card
from converter.errors import ConverterError
from converter.images import Images
from converter.proof import load_check, report
from converter.proof.comparison import Proof, prove
from converter.proof.masks import Interface, of_source
from converter.proof.outcome import Outcome, facts, size_bytes
from converter.saved_model import opened
from converter.targets.tf_trt import signatures as saving
from converter.targets.tf_trt.conversion import MINIMUM_SEGMENT_SIZE, Converted
from converter.targets.tf_trt.rewrites import rewrite_saved_model
from converter.targets.tf_trt.runtime import Runtime

# conversion.with_tensorrt; tests, which have no GPU, have TensorFlow run the rewritten graph.
Build = Callable[[Options, Interface, Path, Path, Optional[Images]], Converted]


@dataclasses.dataclass(frozen=True)
class Result:
    """``report`` is Markdown; ``version`` is None where the result was written to a folder."""

    report: str
    folder: Path
    version: Optional[int]


def run(options: Options, machine: Runtime, build: Build) -> Result:
    """Convert, compare and publish.

    Raises:
        ConverterError: it cannot be converted, or its masks do not agree; of that there is a report then.
        CardError, ModelsConfigError, PublishError: as ``contract.publish``. Nothing is published then.
    """
    reports = options.report or Path("runs", options.name)
    compared, calibration = images.choose(options)
    with tempfile.TemporaryDirectory(prefix="converter-") as folder:
        scratch = Path(folder)
        interface = of_source(options)
        made = _Made(options, interface)
        reports.mkdir(parents=True, exist_ok=True)  # what cannot be written is better known before than after
        for signature in _signatures(options, interface):
            _say(f"rewriting {signature}")
            made.rewrite(signature, scratch / "rewritten" / signature)
            _say(
                f"converting {signature} for batches of {', '.join(map(str, options.batch_sizes))}: this takes minutes"
            )
            made.convert(
                signature, scratch / "rewritten" / signature, scratch / "engines" / signature, calibration, build
            )
        _say(f"comparing masks on {len(compared.names())} images from {compared.origin}")
        made.save(scratch / "converted", _renamed(options))
        proof = prove(
            *(options.source.folder, scratch / "converted", interface),
            *(compared, options.batch_sizes, options.source.card),
            others=_signatures(options, interface)[1:],
        )
        outcome = Outcome(
            options=options,
            machine=machine,
            engines={name: converted.engines for name, converted in made.converted.items()},
            rewritten=tuple(made.notes),
            proof=proof,
            source_bytes=size_bytes(options.source.folder),
            converted_bytes=size_bytes(scratch / "converted"),
        )
        if not outcome.agrees:
            where = report.write(reports, outcome)
            raise ConverterError(
                f"{options.name} is not published: its masks agree with {options.source} on "
                f"{report.percent(proof.share)} of pixels, expected at least {report.percent(options.min_agreement)}; "
                f"{where} shows "
                "where they differ"
            )
        result = _publish(outcome, proof, made)
    report.write(reports, outcome)
    return result


class _Made:
    """What has been made so far: of every signature its function, its tensors, and the resources of its engines."""

    def __init__(self, options: Options, interface: Interface) -> None:
        self._options = options
        self._interface = interface
        self.converted: Dict[str, Converted] = {}
        self.tensors: Dict[str, Any] = {}
        self.notes: List[str] = []

    def rewrite(self, signature: str, folder: Path) -> None:
        notes = rewrite_saved_model(self._options.source.folder, folder, signature, self._options.image_size).notes
        several = len(_signatures(self._options, self._interface)) > 1
        self.notes += [f"{signature}: {note}" if several else note for note in notes]
        card = self._options.source.card
        with opened(folder) as model:
            self.tensors[signature] = signatures(card)[signature] if card else model.signatures[SERVING_DEFAULT]

    def convert(
        self, signature: str, rewritten: Path, scratch: Path, calibration: Optional[Images], build: Build
    ) -> None:
        scratch.mkdir(parents=True)
        self.converted[signature] = build(self._options, self._interface, rewritten, scratch, calibration)

    def save(self, folder: Path, card: Optional[ModelCard]) -> None:
        functions = {name: converted.function for name, converted in self.converted.items()}
        resources = {
            name: resource for converted in self.converted.values() for name, resource in converted.resources.items()
        }
        saving.save(folder, self._options.source.folder, card, functions, self.tensors, resources)


def _signatures(options: Options, interface: Interface) -> Tuple[str, ...]:
    return options.signatures if options.source.card else (interface.signature,)


def _renamed(options: Options) -> Optional[ModelCard]:
    """A card to try the result with, before it is known what to say of it."""
    card = options.source.card
    return dataclasses.replace(card, name=options.name) if card else None


def _publish(outcome: Outcome, proof: Proof, made: _Made) -> Result:
    options = outcome.options
    known = facts(outcome, MINIMUM_SEGMENT_SIZE)
    source_card = options.source.card
    card = converted_card(source_card, options, outcome.machine, known) if source_card else None

    def write(folder: Path) -> None:
        made.save(folder, card)
        report.write(folder / "assets.extra" / "conversion", outcome)
        if (options.source.folder / WARMUP_PATH).is_file():
            shutil.copyfile(str(options.source.folder / WARMUP_PATH), str(folder / WARMUP_PATH))
        if card is None:
            (folder / ENGINE_PATH).write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")

    def check(folder: Path) -> None:
        if card is not None:
            load_check.check(folder, card)
        else:
            load_check.check_same(folder, options.source.folder)
        share = proof.again(folder)
        if share < options.min_agreement:
            raise ConverterError(
                f"{options.name} is not published: saved again, its masks agree on {report.percent(share)} only"
            )

    def publish_to(models_root: Path) -> int:
        if card is None:
            return publish_without_card(models_root, options.name, write, check)
        return publish(models_root, card, write, check)

    if options.output is not None:
        _write_folder(options.output, options.name, publish_to)
        return Result(report.render(outcome), options.output, None)
    version = publish_to(options.models_root)
    return Result(report.render(outcome), options.models_root / options.name / str(version), version)


def _write_folder(output: Path, name: str, publish_to: Callable[[Path], int]) -> None:
    """What publishing makes, as a folder of its own: whole, or not there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=str(output.parent)) as beside:
        version = publish_to(Path(beside))
        folder = Path(beside) / name / str(version)
        sync_tree(folder)
        folder.rename(output)
    sync(output.parent)


def _say(what: str) -> None:
    print(f"converter: {what}", file=sys.stderr, flush=True)
