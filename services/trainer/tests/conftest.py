"""What the trainer's tests share: CVAT exports to import, and one small network trained and published for all."""

import io
import math
import os
import zipfile
from pathlib import PurePosixPath
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from contract import ClassInfo, ModelCard
from contract.repository.publish import CARD_PATH
from segstack_testing import small_model
from trainer.datasets.dataset import Dataset, Item
from trainer.datasets.drawing import GAP, MARGIN
from trainer.inference.segmenter import Segmenter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def encode_image():
    """``encode_image(array, ".png")``: the file's bytes; RGB [H, W, 3] or one channel [H, W]."""

    def encode(array, suffix):
        array = np.asarray(array)
        bgr = array if array.ndim == 2 else array[..., ::-1]
        return cv2.imencode(suffix, bgr)[1].tobytes()

    return encode


@pytest.fixture
def write_files(encode_image):
    """``write_files(folder, files)``: files by POSIX path; text, bytes, or an array that its suffix encodes."""

    def write(folder, files):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                content = content.encode()
            elif not isinstance(content, bytes):
                content = encode_image(content, path.suffix)
            path.write_bytes(content)
        return folder

    return write


@pytest.fixture(scope="session")
def zip_bytes():
    """``zip_bytes(folder, top="")``: the folder's files as a zip, under ``top``."""

    def pack(folder, top=""):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(path, str(PurePosixPath(top, path.relative_to(folder).as_posix())))
        return buffer.getvalue()

    return pack


@pytest.fixture
def trainer(capsys):
    """``trainer("data", …)``, a command line: exit status, standard output, standard error."""
    from trainer.commands.cli import main

    def run(*words):
        status = main([str(word) for word in words])
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def drawn(make_once):
    """A drawn set as CVAT exports it: 96 images of 64x96."""
    return make_once("drawn", small_model.draw) / "export"


@pytest.fixture(scope="session")
def dataset(make_once):
    """The drawn set, imported."""
    from trainer.datasets.dataset import load_dataset

    return load_dataset(make_once("drawn", small_model.draw) / "data")


@pytest.fixture(scope="session")
def recipe_file(dataset, tmp_path_factory):
    """A recipe of one epoch over the drawn set, the one that ``run`` was trained with."""
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(small_model.RECIPE.format(data=dataset.root))
    return path


@pytest.fixture(scope="session")
def run(dataset, make_once):
    """The run folder of a training with that recipe."""
    from trainer.runs import RunFolder

    trained = make_once("trained", lambda folder: small_model.train(folder, dataset.root))
    return RunFolder(trained / "run").load()


@pytest.fixture(scope="session")
def published(run, dataset, make_once):
    """That run, exported: ``models_root``, ``folder`` of its version 1, and its ``card``."""
    folder = make_once("published", lambda folder: small_model.publish(folder, run.folder, dataset.root))
    version = folder / "models_repo" / small_model.NAME / "1"
    card = ModelCard.from_json((version / CARD_PATH).read_text())
    return SimpleNamespace(models_root=folder / "models_repo", folder=version, card=card)


@pytest.fixture(scope="session")
def ddrnet_layout():
    """``ddrnet_layout(name)``: the authors' state dict with 19 classes and auxiliary head, as their code names it.

    Written down from their classes and not from ours: each entry's shape in PyTorch's order OIHW, a batch
    normalisation as ``name (BN)`` with its width.
    """
    configs = {  # planes, of the heads, blocks of a stage, what the halves of stage 3 are called
        "ddrnet23_slim": (32, 64, (2, 2, 2, 2), ("3",)),
        "ddrnet23": (64, 128, (2, 2, 2, 2), ("3",)),
        "ddrnet39": (64, 256, (3, 4, 6, 3), ("3_1", "3_2")),
    }

    def layout(name):
        p, head, blocks, thirds = configs[name]
        entries = {}

        def conv_bn(prefix, conv, bn, out, inputs, kernel, bias=False):
            entries[f"{prefix}{conv}.weight"] = (out, inputs, kernel, kernel)
            if bias:
                entries[f"{prefix}{conv}.bias"] = (out,)
            entries[f"{prefix}{bn} (BN)"] = (out,)

        def bn_conv(prefix, bn, conv, out, inputs, kernel):
            entries[f"{prefix}{bn} (BN)"] = (inputs,)
            entries[f"{prefix}{conv}.weight"] = (out, inputs, kernel, kernel)

        def layer(prefix, inputs, out, count, downsample):
            for number in range(count):
                conv_bn(f"{prefix}.{number}.", "conv1", "bn1", out, inputs if number == 0 else out, 3)
                conv_bn(f"{prefix}.{number}.", "conv2", "bn2", out, out, 3)
            if downsample:
                conv_bn(f"{prefix}.0.downsample.", "0", "1", out, inputs, 1)

        def bottleneck(prefix, width):
            conv_bn(f"{prefix}.0.", "conv1", "bn1", width, width, 1)
            conv_bn(f"{prefix}.0.", "conv2", "bn2", width, width, 3)
            conv_bn(f"{prefix}.0.", "conv3", "bn3", 2 * width, width, 1)
            conv_bn(f"{prefix}.0.downsample.", "0", "1", 2 * width, width, 1)

        conv_bn("conv1.", "0", "1", p, 3, 3, bias=True)
        conv_bn("conv1.", "3", "4", p, p, 3, bias=True)
        layer("layer1", p, p, blocks[0], downsample=False)
        layer("layer2", p, 2 * p, blocks[1], downsample=True)
        for number, third in enumerate(thirds):
            count = blocks[2] // len(thirds)
            layer(f"layer{third}", (2 if number == 0 else 4) * p, 4 * p, count, downsample=number == 0)
            layer(f"layer{third}_", 2 * p, 2 * p, count, downsample=False)
            conv_bn(f"compression{third}.", "0", "1", 2 * p, 4 * p, 1)
            conv_bn(f"down{third}.", "0", "1", 4 * p, 2 * p, 3)
        layer("layer4", 4 * p, 8 * p, blocks[3], downsample=True)
        layer("layer4_", 2 * p, 2 * p, blocks[3], downsample=False)
        conv_bn("compression4.", "0", "1", 2 * p, 8 * p, 1)
        conv_bn("down4.", "0", "1", 4 * p, 2 * p, 3)
        conv_bn("down4.", "3", "4", 8 * p, 4 * p, 3)
        bottleneck("layer5_", 2 * p)
        bottleneck("layer5", 8 * p)
        for scale, (bn, conv) in enumerate([(0, 2), (1, 3), (1, 3), (1, 3), (1, 3)]):  # a pool comes first in four
            bn_conv(f"spp.scale{scale}.", bn, conv, 128, 16 * p, 1)
        for process in (1, 2, 3, 4):
            bn_conv(f"spp.process{process}.", 0, 2, 128, 128, 3)
        bn_conv("spp.compression.", 0, 2, 4 * p, 5 * 128, 1)
        bn_conv("spp.shortcut.", 0, 2, 4 * p, 16 * p, 1)
        for which, inputs in (("seghead_extra.", 2 * p), ("final_layer.", 4 * p)):
            bn_conv(which, "bn1", "conv1", head, inputs, 3)
            bn_conv(which, "bn2", "conv2", 19, head, 1)
            entries[f"{which}conv2.bias"] = (19,)
        return entries

    return layout


_CAPTION_HEIGHT = 18


@pytest.fixture(scope="session")
def masks_on_sheet():
    """``masks_on_sheet(sheet, images, height, width)``: the pixels of the masks on a preview of images of that size.

    RGB [N, 3], all pixels in a row; the panels must be as wide as the images.
    """

    def crop(sheet, images, height, width):
        cell = 3 * width + 4 * GAP
        row = height + GAP // 2 + _CAPTION_HEIGHT + 2 * GAP
        rows = math.ceil(images / 2)
        top = sheet.shape[0] - MARGIN + 2 * GAP - rows * row
        panels = []
        for number in range(images):
            left = MARGIN + width + GAP + number % 2 * cell
            above = top + number // 2 * row
            panels.append(sheet[above : above + height, left : left + width].reshape(-1, 3))
        return np.concatenate(panels)

    return crop


PALETTE = np.random.default_rng(0).permutation(256)[:30]  # the grey level that an oracle reads as class id


@pytest.fixture
def labelled(tmp_path):
    """``labelled(labels, predictions, classes)``: a set of these labels, whose images tell an oracle what to answer."""

    def make(labels, predictions, classes):
        infos = tuple(ClassInfo(number, f"class {number}", (number, 0, 0)) for number in range(classes))
        items = tuple(Item(f"{n}", f"images/{n}.png", f"masks/{n}.png", split="test") for n in range(len(labels)))
        for item, label, prediction in zip(items, labels, predictions, strict=True):
            for name, picture in ((item.mask, label), (item.image, PALETTE[np.asarray(prediction)])):
                (tmp_path / name).parent.mkdir(exist_ok=True)
                assert cv2.imwrite(str(tmp_path / name), np.asarray(picture, np.uint8))
        dataset = Dataset(tmp_path, infos, items)
        dataset.save()
        return dataset

    return make


@pytest.fixture
def oracle():
    """``oracle(dataset, height, width)``: answers what the images of ``labelled`` tell it to."""

    def make(dataset, height, width):
        table = np.zeros(256, np.uint8)
        table[PALETTE] = np.arange(len(PALETTE))
        card = ModelCard("oracle", "none", height, width, dataset.classes)
        return Segmenter("oracle", card, lambda images: table[images[..., 0]], None, lambda: 7_000_000_000)

    return make
