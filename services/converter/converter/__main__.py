"""``python -m converter``: one published model in, its TensorRT version published."""

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Optional, Sequence, Tuple

from contract import CardError, ModelsConfigError, PublishError, publish
from converter import options, runtime
from converter.errors import ConverterError


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Convert and publish; 0 when published, 1 after a refusal in one sentence, 2 for a wrong command line."""
    # TensorFlow's start-up notes and deprecations would bury the sentence; TF-TRT's reasons, warnings in C++, stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        wanted = options.parse(arguments)
        machine = runtime.probe()
        name, version = _convert(wanted, machine)
    except (ConverterError, CardError, ModelsConfigError, PublishError) as error:
        print(f"converter: {error}", file=sys.stderr)
        return 1
    print(f"published {name}, version {version}, in {wanted.models_root}")
    return 0


def _convert(wanted: options.Options, machine: runtime.Runtime) -> Tuple[str, int]:
    # They import TensorFlow and TF-TRT: only once the probe has said that they are there.
    from converter import conversion, load_check, signatures
    from converter.card import converted_card

    with tempfile.TemporaryDirectory(prefix="converter-") as scratch:
        converted = conversion.convert(wanted, Path(scratch))
        card = converted_card(wanted, machine, len(converted.engines), conversion.MINIMUM_SEGMENT_SIZE)
        version = publish(
            wanted.models_root,
            card,
            write=lambda folder: signatures.save(
                folder, card, wanted.source.folder, converted.function, converted.engines
            ),
            check=lambda folder: load_check.check(folder, card),
        )
    return card.name, version


if __name__ == "__main__":
    sys.exit(main())
