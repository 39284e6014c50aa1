"""What the trainer's tests share: CVAT exports to import, and one small network trained and published for all."""

import io
import os
import warnings
import zipfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

RECIPE = """
network: ddrnet23_slim
data:
  path: {data}
  input_height: 64
  input_width: 96
  batch_size: 4
optimizer: {{name: adamw, learning_rate: 0.002, warmup_steps: 0}}
epochs: 1
"""


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
    """``trainer("data", …)``, a command as a person types it: exit status, standard output, standard error."""
    from trainer.cli import main

    def run(*words):
        status = main([str(word) for word in words])
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A drawn set as CVAT exports it: 96 images of 64x96."""
    from trainer.data.synthesize import synthesize

    folder = tmp_path_factory.mktemp("drawn") / "export"
    synthesize(folder, images=96, height=64, width=96, seed=1)
    return folder


@pytest.fixture(scope="session")
def dataset(drawn, tmp_path_factory):
    """The drawn set, imported."""
    from trainer.data.cvat import import_cvat
    from trainer.data.dataset import load_dataset

    folder = tmp_path_factory.mktemp("dataset") / "drawn"
    import_cvat([drawn], folder)
    return load_dataset(folder)


@pytest.fixture(scope="session")
def recipe_file(dataset, tmp_path_factory):
    """A recipe of one epoch over the drawn set."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(RECIPE.format(data=dataset.root))
    return path


@pytest.fixture(scope="session")
def run(recipe_file, tmp_path_factory):
    """What training that recipe leaves."""
    from trainer.recipe import load_recipe
    from trainer.training.loop import train
    from trainer.training.run import load_run

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with warnings.catch_warnings():
        # Keras has not followed NumPy 2 where it saves a variable: its __array__ takes no copy.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning, module="keras")
        train(load_recipe(recipe_file), folder)
    return load_run(folder)


@pytest.fixture(scope="session")
def published(run, tmp_path_factory):
    """That run, exported: ``models_root``, ``folder`` of its version 1, and its ``card``."""
    from trainer.export.publish import export_run

    models_root = tmp_path_factory.mktemp("repository") / "models_repo"
    version, card = export_run(run, "tiny", models_root, "test")
    return SimpleNamespace(models_root=models_root, folder=Path(models_root, "tiny", str(version)), card=card)
