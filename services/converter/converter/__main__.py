"""``segstack convert`` and ``python -m converter``: convert one model and publish the result."""

import logging
import os
import sys
from typing import Optional, Sequence

from contract import CardError, ModelsConfigError, PublishError
from converter.arguments import Options, parse
from converter.errors import ConverterError
from converter.targets.tf_trt import runtime


def main(arguments: Optional[Sequence[str]] = None, prog: str = "python -m converter") -> int:
    """Convert and publish.

    Args:
        arguments: default: those of the process.
        prog: the command's name in usage lines and errors.

    Returns:
        0 when published, 1 after an error, 2 for a wrong command line, 130 after Ctrl-C.
    """
    # Hide TensorFlow's start-up logs and deprecations; TF-TRT's warnings, which C++ prints, stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        options = parse(arguments, prog)
        print(_dry_run(options) if options.dry_run else _convert(options))
    except (ConverterError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{prog}: stopped; nothing was published", file=sys.stderr)
        return 130
    return 0


def _convert(options: Options) -> str:
    machine = runtime.probe()
    # These import TensorFlow and TF-TRT, which are there once the probe has passed.
    from converter import pipeline
    from converter.targets.tf_trt import conversion
    from converter.targets.tf_trt.target import TfTrt

    result = pipeline.run(options, TfTrt(machine, conversion.with_tensorrt))
    if result.version is None:
        return f"{result.report}\nwritten to {result.folder}"
    return f"{result.report}\npublished {options.name}, version {result.version}, in {options.models_root}"


def _dry_run(options: Options) -> str:
    from converter import rehearsal
    from converter.proof import report

    outcome = rehearsal.run(options)
    if options.report is not None:
        report.write(options.report, outcome)
    return report.render(outcome)


if __name__ == "__main__":
    sys.exit(main())
