"""Where SEGSTACK_NO_SKIPS=1 is set (make test-all), a test that could not run has failed."""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test, a fixture or a mark that skips."""
    return _without_skip((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself while it is collected."""
    return _without_skip((yield))


def _without_skip(report: Report) -> Report:
    if os.environ.get("SEGSTACK_NO_SKIPS") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return report  # an expected failure (wasxfail) is reported as a skip too, and is none
    if isinstance(report.longrepr, tuple):
        _path, _line, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, and a skip is a failure here: {reason.removeprefix('Skipped: ')}"
    return report
