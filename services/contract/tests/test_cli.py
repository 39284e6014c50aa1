"""``segstack`` finds the installed commands, and names the packages of the others."""

import subprocess
import sys

import pytest

from contract import __version__, cli


class EntryPoint:
    """The part of ``importlib.metadata``'s entry point that is used."""

    def __init__(self, name, function):
        self.name, self.function = name, function

    def load(self):
        return self.function


@pytest.fixture
def install(monkeypatch):
    """``install({"train": function})`` has these commands installed and no other."""

    def install(commands):
        points = {name: EntryPoint(name, function) for name, function in commands.items()}
        monkeypatch.setattr(cli, "_installed", lambda: points)

    return install


@pytest.fixture
def calls(install):
    """The calls of two installed commands, of which the second nests below the first."""
    calls = []

    def command(arguments, prog):
        calls.append((prog, arguments))
        return 7

    install({"models": command, "models.networks": command})
    return calls


def test_help_is_one_screen_in_the_order_of_the_road(capsys):
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    order = [line.split("  ")[1] for line in lines if line.startswith("  ")]
    assert order == [name.replace(".", " ") for name in cli.COMMANDS]
    assert order.index("data") < order.index("train") < order.index("convert") < order.index("gateway")


def test_help_fits_where_nothing_but_the_contract_is_installed(capsys, install):
    install({"models": None})
    cli.main([])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert next(line for line in lines if line.startswith("  train ")).endswith("[needs segstack-trainer]")


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"segstack {__version__}\n"


def test_arguments_usage_name_and_exit_status_pass_through(calls):
    assert cli.main(["models", "label", "--help"]) == 7
    assert calls == [("segstack models", ["label", "--help"])]


def test_nested_command_is_found_before_its_parent(calls):
    assert cli.main(["models", "networks", "ddrnet23_slim"]) == 7
    assert calls == [("segstack models networks", ["ddrnet23_slim"])]


def test_command_without_a_return_value_succeeded(install):
    install({"train": lambda arguments, prog: None})
    assert cli.main(["train"]) == 0


def test_command_that_is_not_installed_names_its_package(capsys, calls):
    assert cli.main(["train", "data/mine"]) == 2
    error = capsys.readouterr().err
    assert "segstack-trainer" in error
    assert "pip install ./services/trainer" in error


@pytest.mark.parametrize(("typed", "nearest"), [("trian", "train"), ("import-weight", "import-weights")])
def test_unknown_command_names_the_nearest(capsys, calls, typed, nearest):
    assert cli.main([typed]) == 2
    assert f"segstack {nearest}" in capsys.readouterr().err


def test_unknown_command_like_no_other_names_help(capsys, calls):
    assert cli.main(["xyzzy"]) == 2
    assert "segstack --help" in capsys.readouterr().err


def test_every_installed_command_is_in_the_table():
    for name, point in cli._installed().items():
        assert point.value.split(".")[0] == cli.COMMANDS[name].service


def test_as_a_module(tmp_path):
    out = subprocess.run([sys.executable, "-m", "contract", "--version"], stdout=subprocess.PIPE, check=True, text=True)
    assert out.stdout == f"segstack {__version__}\n"
