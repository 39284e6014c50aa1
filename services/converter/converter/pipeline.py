"""A conversion from end to end, the same for every target: read the source, convert, prove, publish."""

import dataclasses
import datetime
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from contract import ModelCard, __version__, publish, publish_without_card
from contract.durable import sync, sync_tree
from contract.folders import ENGINE_PATH
from contract.warmup import WARMUP_PATH
from converter import images
from converter.arguments import Options
from converter.errors import ConverterError
from converter.interface import of_source
from converter.proof import load_check, report
from converter.proof.comparison import Proof, prove
from converter.proof.outcome import Outcome, engine_facts, size_bytes
from converter.target import Conversion, Target, print_progress


@dataclasses.dataclass(frozen=True)
class Result:
    """``report`` is Markdown; ``version`` is None when the result was written to ``options.output``."""

    report: str
    folder: Path
    version: Optional[int]


def run(options: Options, target: Target) -> Result:
    """Convert, compare and publish.

    Raises:
        ConverterError: it cannot be converted, or its masks do not agree; in that case the report is still written.
        CardError, ModelsConfigError, PublishError: as ``contract.publish``; nothing is published.
    """
    source, reports = options.source, options.report or Path("runs", options.name)
    compared, calibration = images.choose(options)
    with tempfile.TemporaryDirectory(prefix="converter-") as scratch:
        interface = of_source(options)
        reports.mkdir(parents=True, exist_ok=True)  # fails now rather than after minutes of converting
        conversion = target.convert(options, interface, Path(scratch, "target"), calibration)

        print_progress(f"comparing masks on {len(compared.names())} images from {compared.origin}")
        converted = Path(scratch, "converted")
        conversion.save(converted, dataclasses.replace(source.card, name=options.name) if source.card else None)
        proof = prove(
            *(source.folder, converted, interface, compared, options.batch_sizes, source.card),
            others=options.signatures[1:],
        )
        outcome = Outcome(options, conversion.summary, proof, size_bytes(source.folder), size_bytes(converted))
        if not outcome.agrees:
            path = report.write(reports, outcome)
            raise ConverterError(
                f"{options.name} was not published: its masks agree with {source} on {report.percent(proof.fraction)} "
                f"of pixels, expected at least {report.percent(options.min_agreement)}; see {path}"
            )
        result = _publish(outcome, proof, conversion)
    report.write(reports, outcome)
    return result


def converted_card(source: ModelCard, options: Options, frameworks: Dict[str, str], facts: Dict[str, Any]) -> ModelCard:
    """The source's card with the converted model's name, ``frameworks`` and ``facts`` about its engines and masks.

    The metrics are left out: they were measured on the source. Architecture, FLOPs, parameters and the weights'
    checksum stay, because the weights are the source's.

    Raises:
        CardError: a fact is not a JSON value.
    """
    return dataclasses.replace(
        source,
        name=options.name,
        precision=options.precision,
        derived_from=str(options.source),
        metrics=None,
        engine=facts,
        frameworks={"segstack": __version__, **frameworks},
        created_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )


def _publish(outcome: Outcome, proof: Proof, conversion: Conversion) -> Result:
    options, source = outcome.options, outcome.options.source
    facts = engine_facts(outcome)
    card = converted_card(source.card, options, outcome.summary.frameworks, facts) if source.card else None

    def write(folder: Path) -> None:
        conversion.save(folder, card)
        report.write(folder / "assets.extra" / "conversion", outcome)
        if (source.folder / WARMUP_PATH).is_file():
            shutil.copyfile(str(source.folder / WARMUP_PATH), str(folder / WARMUP_PATH))
        if card is None:
            (folder / ENGINE_PATH).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def check(folder: Path) -> None:
        if card is not None:
            load_check.check(folder, card)
        else:
            load_check.check_same(folder, source.folder)
        fraction = proof.repeat(folder)
        if fraction < options.min_agreement:
            raise ConverterError(
                f"{options.name} was not published: saved for publishing, its masks agree on only "
                f"{report.percent(fraction)} of pixels, expected at least {report.percent(options.min_agreement)}"
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
    """Publish into a temporary repository and rename the version's folder to ``output``: it is complete or absent."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=str(output.parent)) as repository:
        version = publish_to(Path(repository))
        folder = Path(repository) / name / str(version)
        sync_tree(folder)
        folder.rename(output)
    sync(output.parent)
