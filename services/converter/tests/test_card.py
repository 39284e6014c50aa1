from datetime import datetime, timedelta, timezone
from pathlib import Path

from contract import ModelCard, __version__
from converter.arguments import parse
from converter.card import converted_card
from converter.targets.tf_trt.runtime import Runtime


def test_a_converted_model_says_what_it_came_from_and_what_it_runs_on(models_root: Path, card: ModelCard) -> None:
    options = parse(["--input", str(models_root / "tiny"), "--precision", "fp16", "--batch-sizes", "1", "4"])
    converted = converted_card(card, options, Runtime("2.6.2", "7.2.2", "Tesla T4"), {"gpu": "Tesla T4"})

    assert (converted.name, converted.derived_from, converted.precision) == ("tiny-trt-fp16", "tiny:1", "fp16")
    assert converted.frameworks == {"segstack": __version__, "tensorflow": "2.6.2", "tensorrt": "7.2.2"}
    assert converted.engine == {"gpu": "Tesla T4"}
    assert datetime.now(timezone.utc) - datetime.fromisoformat(converted.created_at) < timedelta(minutes=1)
    assert converted.metrics is None, "they were measured on the source"
    assert (converted.classes, converted.parameters, converted.weights_sha256) == (
        card.classes,
        card.parameters,
        card.weights_sha256,
    )
    assert ModelCard.from_json(converted.to_json()) == converted
