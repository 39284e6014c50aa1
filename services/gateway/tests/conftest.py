"""Fixtures of the gateway's tests; most come from ``segstack_testing.fixtures``."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from contract import ModelCard
from gateway.flow.codecs import CodecPool
from segstack_testing.fake_serving import CARD, FakeServing
from segstack_testing.fixtures import *  # noqa: F403 - every one is a fixture
from segstack_testing.gateways import SharedGateway


@pytest.fixture
def client(shared_gateway: SharedGateway, serving: FakeServing) -> httpx.Client:
    """An HTTP client of a gateway in front of ``serving``; others have used this gateway before."""
    return shared_gateway.client


@pytest.fixture
def make_serving() -> Iterator[Callable[[], FakeServing]]:
    """``make_serving()``: another server like ``serving``."""
    started: list[FakeServing] = []

    def make() -> FakeServing:
        fake = FakeServing()
        fake.start()
        started.append(fake)
        return fake

    yield make
    for fake in started:
        fake.stop()


@pytest.fixture
def card() -> ModelCard:
    """The card of model ``shapes``."""
    return CARD


@pytest.fixture
def codecs() -> Iterator[CodecPool]:
    pool = CodecPool(2)
    yield pool
    pool.close()


@pytest.fixture
def certificates(shared_certificates: Path, tmp_path: Path) -> Path:
    """A folder of certificates for 127.0.0.1 and localhost, which a test may change."""
    return shutil.copytree(shared_certificates, tmp_path / "certs")
