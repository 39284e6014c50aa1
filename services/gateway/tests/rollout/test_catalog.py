"""Which models there are: by name in the settings, or from the models.config that serving polls."""

import os

import pytest

from gateway.errors import NoModel, UnknownModel
from gateway.rollout.catalog import Catalog
from gateway.settings import Settings


def write(path, *names):
    configs = "".join(f'  config {{ name: "{name}" base_path: "/models/{name}" }}\n' for name in names)
    path.write_text(f"model_config_list {{\n{configs}}}\n")
    # A coarse clock must not hide a change made a moment later.
    stamp = path.stat().st_mtime_ns + write.count * 1_000_000
    os.utime(path, ns=(stamp, stamp))
    write.count += 1


write.count = 1


def test_names_come_from_the_settings():
    catalog = Catalog(Settings(models=("road", "shapes")))
    assert catalog.names() == ("road", "shapes")
    assert catalog.default() == "road"
    assert catalog.resolve("shapes") == "shapes"


def test_default_model_can_be_set():
    assert Catalog(Settings(models=("road", "shapes"), default_model="shapes")).default() == "shapes"


def test_unknown_model_error_lists_the_published_ones():
    with pytest.raises(UnknownModel, match="published models: road, shapes"):
        Catalog(Settings(models=("road", "shapes"))).resolve("raod")


def test_no_model_error_says_how_to_get_one(tmp_path):
    with pytest.raises(NoModel, match="GATEWAY_MODELS_CONFIG"):
        Catalog(Settings()).resolve("road")
    with pytest.raises(NoModel, match="make demo"):
        Catalog(Settings(models_config=tmp_path / "models.config")).resolve("road")


def test_models_config_is_read_again_when_it_changes(tmp_path):
    path = tmp_path / "models.config"
    catalog = Catalog(Settings(models_config=path))
    with pytest.raises(NoModel, match=r"models\.config"):
        catalog.default()

    write(path, "shapes")
    assert catalog.default() == "shapes"
    write(path, "road", "shapes")
    assert catalog.names() == ("road", "shapes")
    path.unlink()
    assert catalog.names() == ()


def test_missing_gpu_config_falls_back_to_models_config(tmp_path):
    write(tmp_path / "models.config", "road")
    catalog = Catalog(Settings(models_config=tmp_path / "models.gpu.config"))
    assert catalog.names() == ("road",)
    write(tmp_path / "models.gpu.config", "road", "road-trt-fp16")
    assert catalog.names() == ("road", "road-trt-fp16")


def test_invalid_models_config_keeps_the_known_models(tmp_path, caplog):
    path = tmp_path / "models.config"
    write(path, "shapes")
    catalog = Catalog(Settings(models_config=path))
    assert catalog.names() == ("shapes",)
    path.write_text("model_config_list {")
    assert catalog.names() == ("shapes",)
    assert "models of before are kept" in caplog.text


def test_default_model_absent_from_the_config_is_an_error(tmp_path):
    path = tmp_path / "models.config"
    write(path, "shapes")
    with pytest.raises(UnknownModel, match="'road' not found; published models: shapes"):
        Catalog(Settings(models_config=path, default_model="road")).default()
