"""``segstack data import tfds``: any set of TensorFlow Datasets that has an image and a segmentation mask."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from numpy.typing import NDArray

from trainer.errors import UserError, require_absent
from trainer.progress import progress
from trainer.sources.images import IMAGE_SUFFIXES, EncodedImage
from trainer.sources.masks.class_files import ClassFile, class_file_of_names, read_class_file
from trainer.sources.masks.decode import decode_mask
from trainer.sources.masks.reader import (
    LabelMapping,
    MaskReader,
    decode_ids,
    mask_reader,
    read_mask,
    require_two_classes,
)
from trainer.sources.tfds.known_sets import SOURCES, TfdsSource
from trainer.sources.tfds.prepared import prepared_builder
from trainer.sources.writing import (
    DEFAULT_SPLIT,
    SPLIT_ALIASES,
    ImportReport,
    LabelledImage,
    SplitConfig,
    write_dataset,
)

CLASSES_NAME = "classes.json"  # the class map that `segstack data build` writes into a set's folder
BY_POSITION = "position"

_ID_KEYS = ("id", "image_id", "file_name", "filename", "image/filename")


def import_tfds(
    name: str,
    output: Path,
    mapping: LabelMapping,
    *,
    image_key: str | None = None,
    mask_key: str | None = None,
    id_key: str | None = None,
    data_dir: Path | None = None,
    manual_dir: Path | None = None,
    split_config: SplitConfig = DEFAULT_SPLIT,
) -> ImportReport:
    """Read a TFDS set into the new data set ``output``; it is downloaded and prepared first if necessary.

    If the set has two or more of train, validation and test, they are the splits; if it has test images but none for
    validation, some training images become those.

    Args:
        name: ``name/config:version`` as in TFDS, or the folder of a prepared set. The keys, classes and values of
            oxford_iiit_pet, scene_parse150 and cityscapes are known.
        output: a new folder.
        mapping: from the masks' values to classes, if that is not known.
        image_key: the image feature; by default that of a known set, or ``image``.
        mask_key: the mask feature; by default that of a known set, or ``segmentation_mask``.
        id_key: the feature that names an image; by default one of the usual names. ``position`` numbers the images.
        data_dir: TFDS's folder of sets; by default ``~/tensorflow_datasets``.
        manual_dir: the folder of files that TFDS cannot download itself.
        split_config: how the set is split if it has no splits of its own.

    Raises:
        UserError: no such set or feature, it cannot be prepared, or its labels cannot be used. Nothing is written then.
    """
    require_absent(output)
    known = SOURCES.get(name.split("/")[0].split(":")[0])
    builder = prepared_builder(known.name if known and "/" not in name else name, data_dir, manual_dir)
    known = None if _class_map(builder).is_file() else SOURCES.get(builder.name)
    image_key = _image_feature(builder, image_key or (known.image_key if known else "image"), "--image-key")
    mask_key = _image_feature(builder, mask_key or (known.mask_key if known else "segmentation_mask"), "--mask-key")
    examples = _Examples(builder, image_key, mask_key, _id_key(builder, id_key))
    splits = [s for s in builder.info.splits if known is None or not known.splits or s in known.splits]
    reader = _reader(builder, mask_key, known, mapping, lambda: examples.values(splits))

    report = ImportReport(notes=list(reader.notes))
    fixed = {SPLIT_ALIASES[s] for s in splits if s in SPLIT_ALIASES}
    if len(fixed) > 1:
        report.notes.extend(f"Its split {s!r} is skipped" for s in splits if s not in SPLIT_ALIASES)
        splits = [s for s in splits if s in SPLIT_ALIASES]

    def images() -> Iterator[LabelledImage]:
        for split in splits:
            for item_id, image, mask in examples.of(split):
                kept = split_config.keep(item_id, SPLIT_ALIASES[split], fixed) if len(fixed) > 1 else None
                yield LabelledImage(item_id, image, partial(read_mask, reader, mask), kept)

    total = sum(builder.info.splits[split].num_examples for split in splits)
    return write_dataset(images(), total, reader.classes, output, split_config, report, require_two_classes)


class _Examples:
    """The encoded images and masks of a prepared set, in its order."""

    def __init__(self, builder: Any, image_key: str, mask_key: str, id_key: str | None) -> None:
        self._builder, self._image_key, self._mask_key, self._id_key = builder, image_key, mask_key, id_key

    def of(self, split: str) -> Iterator[tuple[str, EncodedImage, EncodedImage]]:
        """Id, image and mask of each example of a split."""
        encoded = {key: tfds.decode.SkipDecoding() for key in (self._image_key, self._mask_key)}
        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        examples = self._builder.as_dataset(split=split, decoders=encoded, shuffle_files=False, read_config=in_order)
        for number, example in enumerate(tfds.as_numpy(examples)):
            where = f"{self._builder.info.full_name}: {split} example {number}"
            item_id = f"{split}_{number:06d}" if self._id_key is None else _id(example[self._id_key], where)
            image, mask = example[self._image_key], example[self._mask_key]
            suffix = ".png" if image.startswith(b"\x89PNG") else ".jpg"
            yield (
                item_id,
                EncodedImage(f"{where}, {self._image_key}{suffix}", partial(bytes, image)),
                EncodedImage(f"{where}, {self._mask_key}", partial(bytes, mask)),
            )

    def values(self, splits: Sequence[str]) -> set[int]:
        """Every value of every mask."""
        found: set[int] = set()
        total = sum(self._builder.info.splits[split].num_examples for split in splits)
        with progress(None, "finding classes", "mask", total=total) as bar:
            for split in splits:
                for _, _, mask in self.of(split):
                    found.update(np.unique(decode_ids(mask.read(), mask.name)).tolist())
                    bar.update()
        return found


def _image_feature(builder: Any, key: str, option: str) -> str:
    features = builder.info.features
    images = [k for k, feature in features.items() if isinstance(feature, tfds.features.Image)]
    if key not in images:
        raise UserError(
            f"{builder.info.full_name} has no image feature {key!r}: its images are {', '.join(images) or 'none'}; "
            f"choose with {option}"
        )
    return key


def _id_key(builder: Any, option: str | None) -> str | None:
    """The feature that names an image; None for its position."""
    if option == BY_POSITION:
        return None
    scalars = {k: f for k, f in builder.info.features.items() if f.shape == ()}
    named = [k for k, f in scalars.items() if not np.issubdtype(f.np_dtype, np.floating)]
    if option is None:
        return next((key for key in _ID_KEYS if key in named), None)
    if option not in named:
        raise UserError(
            f"{builder.info.full_name} has no feature {option!r} that could name an image; its features are "
            f"{', '.join(named) or 'none'}; --id-key {BY_POSITION} numbers the images"
        )
    return option


def _id(value: bytes | int, where: str) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    path = PurePosixPath(text)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise UserError(f"{where} has the id {text!r}, which cannot be a file name: give --id-key {BY_POSITION}")
    return str(path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path)


def _reader(builder: Any, mask_key: str, known: TfdsSource | None, mapping: LabelMapping, values: Any) -> MaskReader:
    """The user's options override what is known of the set, which overrides the set's own metadata."""

    def decode(data: bytes, name: str) -> NDArray[np.uint8]:
        if known is None:
            return decode_ids(data, name)
        mask = decode_mask(data, name, indices=True)
        return mask if mask.ndim == 2 else np.ascontiguousarray(mask[..., 0])  # red has the values

    if known and mapping == LabelMapping():
        values_of = known.values
        notes = (known.note,) if known.note else ()
        return MaskReader(known.classes, lambda data, name: values_of.ids(decode(data, name), name), notes)
    return mask_reader(replace(mapping, kind="ids"), values, decode, _own_classes(builder, mask_key))


def _class_map(builder: Any) -> Path:
    """The class map that ``segstack data build`` writes."""
    return Path(str(builder.data_path)) / CLASSES_NAME


def _own_classes(builder: Any, mask_key: str) -> ClassFile | None:
    if _class_map(builder).is_file():
        return read_class_file(_class_map(builder))
    names = getattr(builder.info.features[mask_key], "names", None)
    return class_file_of_names(names, builder.info.full_name) if names else None
