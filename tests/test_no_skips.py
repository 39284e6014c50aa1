"""With SEGSTACK_NO_SKIPS=1, as `make test-all` sets it, a skipped test fails and gives the reason."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT_CONFTEST = Path(__file__).parents[1] / "conftest.py"

SUITE = """
import pytest

def test_passes():
    pass

def test_skips_itself():
    pytest.skip("no engine")

@pytest.fixture
def chromium():
    pytest.skip("no Chromium")

def test_with_a_skipping_fixture(chromium):
    pass

@pytest.mark.skip(reason="not today")
def test_with_a_skip_mark():
    pass

@pytest.mark.skipif(True, reason="no GPU")
def test_with_a_skipif_mark():
    pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert False

@pytest.mark.containers
def test_deselected():
    pytest.skip("no Docker")
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    monkeypatch.delenv("SEGSTACK_NO_SKIPS", raising=False)  # `make test-all` sets it for this run too
    pytester.makeconftest(ROOT_CONFTEST.read_text())
    pytester.makeini("[pytest]\nmarkers = containers")
    pytester.makepyfile(SUITE)
    return pytester


def run(suite):
    return suite.runpytest("-m", "not containers", "-ra", "-p", "no:cacheprovider")


def test_skips_are_failures_that_give_the_reason(suite, monkeypatch):
    monkeypatch.setenv("SEGSTACK_NO_SKIPS", "1")
    result = run(suite)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # pytest counts a fixture that skips as an error: it happens before the test.
    result.assert_outcomes(passed=1, failed=1, errors=3, xfailed=1, deselected=1)
    for reason in ["no engine", "no Chromium", "not today", "no GPU"]:
        result.stdout.fnmatch_lines([f"skipped, and a skip is a failure here: {reason}"])
    result.stdout.no_fnmatch_line("*no Docker*")


@pytest.mark.parametrize("value", [None, "", "0"])
def test_elsewhere_they_are_skips(suite, monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("SEGSTACK_NO_SKIPS", value)
    result = run(suite)
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=4, xfailed=1, deselected=1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('pytest.skip("no GPU", allow_module_level=True)', "no GPU"),
        ('pytest.importorskip("no_gpu")', "could not import 'no_gpu': No module named 'no_gpu'"),
    ],
    ids=["skip", "importorskip"],
)
def test_module_that_skips_itself_is_an_error(suite, monkeypatch, line, reason):
    suite.makepyfile(test_module=f"import pytest\n{line}\ndef test_never_reached(): pass")
    assert run(suite).ret == pytest.ExitCode.OK
    monkeypatch.setenv("SEGSTACK_NO_SKIPS", "1")
    result = run(suite)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"skipped, and a skip is a failure here: {reason}"])
