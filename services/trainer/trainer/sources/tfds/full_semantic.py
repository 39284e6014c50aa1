"""The road of ``rgb/`` and ``gt/`` in ``full_semantic.zip``, by way of TFDS's own command line::

    tfds build services/trainer/trainer/sources/tfds/full_semantic.py --manual_dir FOLDER --data_dir OUTPUT

``FOLDER`` holds ``full_semantic.zip`` and, where the classes have names and colours, ``classes.json``. What
``data build full_semantic.zip --output OUTPUT`` makes is the same, and needs nothing installed beside: the ``tfds`` of
4.9.10 starts only where apache-beam is, for another of its commands.
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
    """Builds ``full_semantic`` from the manual folder; the splits are those of an import with split seed 0."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Put {ARCHIVE_NAME}, which holds images in rgb/ and masks of class ids in gt/, into the manual folder, and beside
    it {CLASSES_NAME}, which names the classes: a list of names, or of entries of id, name and color.
    """

    def _open(self, manual_dir: Path) -> Dataset:
        classes = manual_dir / CLASSES_NAME
        work = tempfile.mkdtemp(prefix=".tmp-", dir=self.data_path.parent)
        weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
        return paired_folders(manual_dir / ARCHIVE_NAME, Path(work, "set"), classes if classes.is_file() else None)
