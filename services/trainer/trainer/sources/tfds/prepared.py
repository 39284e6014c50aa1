"""A TFDS set on disk, downloaded and prepared first if necessary."""

from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from trainer.errors import UserError, one_line

_INFO = "dataset_info.json"


def prepared_builder(name: str, data_dir: Path | None, manual_dir: Path | None) -> Any:
    """The builder of a prepared set.

    Args:
        name: a set's name in TFDS, or the folder of a prepared one.
        data_dir: the folder of prepared sets.
        manual_dir: the folder of files that TFDS cannot download itself.

    Raises:
        UserError: TFDS has no such set, the folder contains none or several, or it cannot be prepared.
    """
    if Path(name).is_dir():
        return tfds.builder_from_directory(str(_folder(Path(name))))
    try:
        builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise UserError(
            f"TFDS has no set {name!r}, and there is no such folder ({str(error).splitlines()[0]}): "
            "https://www.tensorflow.org/datasets/catalog lists the sets"
        ) from None
    if not builder.data_path.exists():
        _prepare(builder, manual_dir)
    return builder


def _folder(path: Path) -> Path:
    """The version's folder in or below ``path``."""
    found = sorted(info.parent for info in path.rglob(_INFO))
    if len(found) != 1:
        listed = ", ".join(map(str, found[:4])) or f"no {_INFO}"
        raise UserError(f"{path}: expected the folder of one prepared TFDS set, found {listed}: choose one")
    return found[0]


def _prepare(builder: Any, manual_dir: Path | None) -> None:
    config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
    try:
        builder.download_and_prepare(download_config=config)
    except ImportError as error:
        raise UserError(f"to prepare {builder.name} TFDS needs a package that is missing: {error}") from None
    except (AssertionError, OSError, tfds.download.DownloadError) as error:
        reason = one_line(error)
        raise UserError(
            f"{builder.name} could not be prepared ({reason}): files to download manually are expected in "
            f"{manual_dir or 'TFDS_DATA_DIR/downloads/manual'} (--manual-dir)"
        ) from None
