"""``segstack data build``: a data set as a TFDS set on disk, which ``tfds.builder_from_directory`` reads.

::

    <output>/<name>/<version>/     TFDS's own files; features image, segmentation_mask (255 = ignore), id
        classes.json               the class map, also in the builder's ``info.metadata["classes"]``
"""

import contextlib
import dataclasses
import io
import json
import os
import re
import shutil
import sys
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from contract import IGNORE_ID
from trainer.datasets.dataset import INDEX_NAME, Dataset, Item, load_dataset
from trainer.datasets.validation import require_valid
from trainer.errors import UserError
from trainer.progress import progress
from trainer.sources.folder import import_folder
from trainer.sources.masks.reader import LabelMapping
from trainer.sources.tfds.importer import CLASSES_NAME

_NAME = re.compile(r"[a-zA-Z]\w*", re.ASCII)
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class SegmentationBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Writes the :class:`Dataset` that a subclass opens. Files are stored byte for byte."""

    VERSION = tfds.core.Version("1.0.0")
    # Nothing is downloaded. Without this TFDS would look for checksums with a module that it does not require.
    url_infos: ClassVar[dict] = {}

    @abstractmethod
    def _open(self, manual_dir: Path) -> Dataset:
        """Open the data set to write; ``manual_dir`` is TFDS's folder of manually downloaded files."""

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Images and their segmentation masks; the classes are in the metadata.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "segmentation_mask": tfds.features.Image(shape=(None, None, 1), dtype=np.uint8, use_colormap=True),
                    "id": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "segmentation_mask"),
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[tuple[str, Any]]]:
        # TFDS gives a manual folder only to a builder with instructions.
        dataset = self._open(Path(dl_manager.manual_dir if self.MANUAL_DOWNLOAD_INSTRUCTIONS else "."))
        require_valid(dataset)
        content = {"classes": [dataclasses.asdict(c) for c in dataset.classes], "ignore_id": IGNORE_ID}
        self.info.metadata.update(content)
        # TFDS renames this folder when it is complete.
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        Path(self.data_path, CLASSES_NAME).write_text(text, encoding="utf-8")
        return {name: self._generate_examples(dataset, dataset.split(name), name) for name in dataset.splits}

    def _generate_examples(self, dataset: Dataset, items: Sequence[Item], split: str) -> Iterator[tuple[str, Any]]:
        with progress(items, f"building {split}", "image") as bar:
            for item in bar:
                image, mask = str(dataset.root / item.image), str(dataset.root / item.mask)
                yield item.id, {"image": image, "segmentation_mask": mask, "id": item.id}


class _DatasetBuilder(SegmentationBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Builds one data set of ours under a given name and version."""

    def __init__(self, dataset: Dataset, name: str, version: str, data_dir: Path) -> None:
        self.name, self.VERSION, self._dataset = name, tfds.core.Version(version), dataset
        super().__init__(data_dir=data_dir)

    def _open(self, manual_dir: Path) -> Dataset:
        return self._dataset


def build(
    source: Path, output: Path, name: str | None = None, version: str = "1.0.0", classes: Path | None = None
) -> Path:
    """Write a labelled set to the new folder ``output/name/version`` and return it.

    Args:
        source: the folder of a data set, or a folder or zip with ``rgb/`` and ``gt/``.
        output: the folder of TFDS sets.
        name: the set's name; by default that of ``source``.
        version: three numbers.
        classes: the class file for ``gt/``, see :func:`read_class_file`.

    Raises:
        UserError: the labels cannot be used, the name or version is invalid, or the folder exists already.
    """
    name = _name_of(source) if name is None else name
    if not _NAME.fullmatch(name):
        raise UserError(f"--name {name!r}: expected a letter, then letters, digits and _ only, as TFDS requires")
    if not _VERSION.fullmatch(version):
        raise UserError(f"--version {version!r}: expected three numbers, for instance 1.0.0")
    target = output / name / version
    if target.exists():
        raise UserError(f"{target} exists already: build another --version, or remove it first")
    ours = source / INDEX_NAME
    if ours.is_file() and classes is not None:
        raise UserError(f"--classes {classes}: {ours} names the classes already; omit the option")
    if source.is_dir() and not ours.is_file() and not any(folder.is_dir() for folder in source.rglob("gt")):
        raise UserError(
            f"{source}: is neither a data set ({INDEX_NAME} is missing) nor has images in rgb/ and masks in gt/"
        )
    temporary = output / f".tmp-{name}-{os.getpid()}"
    tfds.disable_progress_bar()  # ours shows the time left
    try:
        dataset = load_dataset(source) if ours.is_file() else paired_folders(source, temporary / "set", classes)
        builder = _DatasetBuilder(dataset, name, version, temporary)
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints about downloads and the temporary folder
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        target.parent.mkdir(parents=True, exist_ok=True)
        (temporary / name / version).rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def paired_folders(source: Path, output: Path, classes: Path | None) -> Dataset:
    """The data set ``output`` of the images in ``rgb/`` and the masks in ``gt/`` of a folder or zip."""
    print(import_folder(source, output, LabelMapping(classes)), file=sys.stderr)
    return load_dataset(output)


def _name_of(source: Path) -> str:
    """The name of a data set's folder or zip, without what TFDS does not allow in names."""
    name = re.sub(r"[^0-9a-zA-Z]+", "_", source.resolve().name.removesuffix(".zip")).strip("_").lower()
    return name if _NAME.fullmatch(name) else f"set_{name}"
