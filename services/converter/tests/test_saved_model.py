from pathlib import Path

import numpy as np
import pytest

from contract import signatures
from converter.errors import ConverterError
from converter.saved_model import opened


def test_signatures_are_listed_and_run(models_root: Path, card) -> None:
    with opened(models_root / "tiny/1") as model:
        assert model.signatures == signatures(card)
        (mask,) = model.run("serving_default", {"image": np.zeros((2, 32, 48, 3), np.uint8)}).values()
    assert (mask.shape, mask.dtype) == ((2, 32, 48), np.uint8)


def test_unloadable_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(ConverterError, match=r"does not load in TensorFlow 2\.\d+") as refused, opened(tmp_path):
        pass
    assert "\n" not in str(refused.value)
