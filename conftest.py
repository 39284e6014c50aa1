"""What the tests of every service share: skips that count as failures, and work that is done once a run.

`make test` runs two workers (pytest-xdist), each with its own session fixtures.
"""

import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_configure() -> None:
    """Ctrl-C is an interrupt, as tests of it expect, also where a shell started this run in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test, a fixture or a mark that skips."""
    return _without_skip((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself while it is collected."""
    return _without_skip((yield))


def _without_skip(report: Report) -> Report:
    """Where SEGSTACK_NO_SKIPS=1 is set (make test-all), a test that could not run has failed."""
    if os.environ.get("SEGSTACK_NO_SKIPS") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return report  # an expected failure (wasxfail) is reported as a skip too, but is not one
    if isinstance(report.longrepr, tuple):
        _path, _line, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, and a skip is a failure here: {reason.removeprefix('Skipped: ')}"
    return report


@pytest.fixture(scope="session")
def make_once(pytestconfig: pytest.Config) -> Callable[[str, Callable[[Path], None]], Path]:
    """``make_once("name", make)``: the folder that ``make(folder)`` filled, once a run; all workers read the same one.

    Tests must not write into it. If ``make`` raises, the next caller tries again in an empty folder.
    """

    def make_once(name: str, make: Callable[[Path], None]) -> Path:
        shared = _shared_folder(pytestconfig)
        folder, done = shared / name, shared / f"{name}.done"
        with _locked(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return make_once


def _shared_folder(config: pytest.Config) -> Path:
    """A folder of this run that all workers see: each worker's temporary folder is inside the run's."""
    own: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    shared.mkdir(exist_ok=True)
    return shared


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file's lock; the system releases it when the process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
