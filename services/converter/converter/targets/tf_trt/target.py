"""The TF-TRT target: every signature is rewritten, converted, and saved together with its engines."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from contract import SERVING_DEFAULT, ModelCard, signatures
from converter.arguments import Options
from converter.images import Images
from converter.interface import Interface
from converter.saved_model import opened
from converter.target import Conversion, Summary, Target, print_progress
from converter.targets.tf_trt import signatures as saving
from converter.targets.tf_trt.conversion import Converted
from converter.targets.tf_trt.rewrites import rewrite_saved_model
from converter.targets.tf_trt.runtime import Runtime
from converter.targets.tf_trt.summary import summarize

# conversion.with_tensorrt; tests, which have no GPU, let TensorFlow run the rewritten graph.
Build = Callable[[Options, Interface, Path, Path, Optional[Images]], Converted]


class TfTrt(Target):
    """Converts for the GPU and the TensorRT of this machine.

    Args:
        machine: the versions that engines are built with.
        build: converts one rewritten signature and builds its engines.
    """

    def __init__(self, machine: Runtime, build: Build) -> None:
        self._machine = machine
        self._build = build

    def convert(
        self, options: Options, interface: Interface, scratch: Path, calibration: Optional[Images]
    ) -> "TfTrtConversion":
        """See :class:`Target`; takes minutes on a GPU."""
        card, batches = options.source.card, ", ".join(map(str, options.batch_sizes))
        converted: Dict[str, Converted] = {}
        tensors: Dict[str, Any] = {}
        notes: Dict[str, List[str]] = {}
        for name in (interface.signature, *options.signatures[1:]):
            rewritten, engines = scratch / "rewritten" / name, scratch / "engines" / name
            print_progress(f"rewriting {name}")
            notes[name] = rewrite_saved_model(options.source.folder, rewritten, name, options.image_size)
            with opened(rewritten) as model:
                tensors[name] = signatures(card)[name] if card else model.signatures[SERVING_DEFAULT]
            print_progress(f"converting {name} for batch sizes {batches}: this takes minutes")
            engines.mkdir(parents=True)
            converted[name] = self._build(options, interface, rewritten, engines, calibration)
        summary = summarize(options, self._machine, {name: each.engines for name, each in converted.items()}, notes)
        return TfTrtConversion(options.source.folder, converted, tensors, summary)


class TfTrtConversion(Conversion):
    """By signature: the converted functions with their engines, and their tensors."""

    def __init__(
        self, source: Path, converted: Dict[str, Converted], tensors: Dict[str, Any], summary: Summary
    ) -> None:
        self.summary = summary
        self._source = source
        self._functions = {name: each.function for name, each in converted.items()}
        self._tensors = tensors
        self._resources = {name: resource for each in converted.values() for name, resource in each.resources.items()}

    def save(self, folder: Path, card: Optional[ModelCard]) -> None:
        """See :class:`Conversion`."""
        saving.save(folder, self._source, card, self._functions, self._tensors, self._resources)
