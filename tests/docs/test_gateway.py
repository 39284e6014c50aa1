"""docs/gateway.md agrees with the gateway's settings."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from gateway.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs/gateway.md").read_text()


def test_table_lists_every_setting_in_order_with_its_default(page: str) -> None:
    rows = re.findall(r"^\| `GATEWAY_(\w+)` \|([^|]*)\|", page, re.MULTILINE)
    assert [name.lower() for name, _ in rows] == list(Settings.model_fields)
    for name, shown in rows:
        default = Settings.model_fields[name.lower()].default
        if default is not PydanticUndefined:  # a default that depends on the machine is described in words
            assert shown.strip(" `") == as_written(default), name


def as_written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    return "" if default is None else str(default)


def test_mentioned_variables_are_the_settings(page: str) -> None:
    mentioned = {name.lower() for name in re.findall(r"GATEWAY_([A-Z_]+[A-Z])", page)}
    assert mentioned == set(Settings.model_fields)
