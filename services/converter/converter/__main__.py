"""``python -m converter``: one model in, its TensorRT version published."""

import logging
import os
import sys
from typing import Optional, Sequence

from contract import CardError, ModelsConfigError, PublishError
from converter import arguments as options
from converter.errors import ConverterError
from converter.targets.tf_trt import runtime


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Convert and publish; 0 when published, 1 after a refusal in one sentence, 2 for a wrong command line."""
    # TensorFlow's start-up notes and deprecations would bury the sentence; TF-TRT's reasons, warnings in C++, stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        wanted = options.parse(arguments)
        print(_rehearse(wanted) if wanted.dry_run else _convert(wanted))
    except (ConverterError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"converter: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("converter: stopped; nothing was published", file=sys.stderr)
        return 130
    return 0


def _convert(wanted: options.Options) -> str:
    machine = runtime.probe()
    # They import TensorFlow and TF-TRT: only once the probe has said that they are there.
    from converter import pipeline
    from converter.targets.tf_trt import conversion

    result = pipeline.run(wanted, machine, conversion.with_tensorrt)
    if result.version is None:
        return f"{result.report}\nwritten to {result.folder}"
    return f"{result.report}\npublished {wanted.name}, version {result.version}, in {wanted.models_root}"


def _rehearse(wanted: options.Options) -> str:
    from converter.proof import report
    from converter.targets.tf_trt import rehearsal

    outcome = rehearsal.run(wanted)
    if wanted.report is not None:
        report.write(wanted.report, outcome)
    return report.render(outcome)


if __name__ == "__main__":
    sys.exit(main())
