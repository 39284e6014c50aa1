"""``full_semantic.zip`` with ``rgb/`` and ``gt/``, built by TFDS's own command line::

    tfds build services/trainer/trainer/sources/tfds/full_semantic.py --manual_dir FOLDER --data_dir OUTPUT

``FOLDER`` contains ``full_semantic.zip`` and, if the classes have names and colours, ``classes.json``.
``segstack data build full_semantic.zip --output OUTPUT`` writes the same and needs no other package: the ``tfds``
command of 4.9.10 starts only if apache-beam is installed, which another of its commands uses.
"""

import shutil
import tempfile
import weakref
from pathlib import Path

from trainer.datasets.dataset import Dataset
from trainer.sources.tfds.builder import SegmentationBuilder, paired_folders
from trainer.sources.tfds.importer import CLASSES_NAME

ARCHIVE_NAME = "full_semantic.zip"


class FullSemantic(SegmentationBuilder):
    """Builds ``full_semantic`` from the manual folder, with the splits of an import with split seed 0."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Put {ARCHIVE_NAME}, which contains images in rgb/ and masks of class ids in gt/, into the manual folder, together
    with {CLASSES_NAME}, which names the classes: a list of names, or of entries of id, name and color.
    """

    def _open(self, manual_dir: Path) -> Dataset:
        classes = manual_dir / CLASSES_NAME
        work = tempfile.mkdtemp(prefix=".tmp-", dir=self.data_path.parent)
        weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
        return paired_folders(manual_dir / ARCHIVE_NAME, Path(work, "set"), classes if classes.is_file() else None)
