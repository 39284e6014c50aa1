"""The shell commands that README and docs print: collected, and given to the programs they name."""

import contextlib
import io
import re
import runpy
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "models_repo/README.md",
    *sorted((ROOT / "services").glob("*/*.md")),
]
MODULES = ("contract", "trainer", "converter", "serving", "gateway")
SCRIPTS = ("segstack", "segclient")


@dataclass(frozen=True)
class Command:
    """One command of a page.

    ``program`` is ``segstack``, ``segclient``, ``make``, ``compose``, or the module of ``python -m``. A command in a
    block ``is_whole``: it runs as typed; code inside a sentence may give only the beginning of one.
    """

    page: str
    program: str
    arguments: tuple[str, ...]
    variables: tuple[str, ...] = ()
    is_whole: bool = True

    def __str__(self) -> str:
        return " ".join((self.page, *self.variables, self.program, *self.arguments))


def commands() -> list[Command]:
    """Every command of every page, each once."""
    return list(dict.fromkeys(command for page in PAGES for command in commands_of(page)))


def commands_of(page: Path) -> Iterator[Command]:
    """The commands of one page: of its ``sh`` blocks, and of the code inside its sentences."""
    name, text = page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")
    aliases = set(re.findall(r"^alias ([\w-]+)=", text, re.MULTILINE))
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _commands_of_line(name, line, aliases)
    sentences = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for span in re.findall(r"`([^`]+)`", sentences):
        for command in _commands_of_line(name, " ".join(span.split()), aliases):
            words = tuple(word for word in command.arguments if word != "…")
            yield Command(name, command.program, words, command.variables, is_whole=False)


def _commands_of_line(page: str, line: str, aliases: set[str]) -> Iterator[Command]:
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # an apostrophe of a sentence, or a quotation that continues on the next line
        return
    for part in _parts(words):
        variables = []
        while part and (re.fullmatch(r"[A-Za-z_]+=.*", part[0]) or part[0] in aliases):
            variables.append(part.pop(0))
        program = part[0].rpartition("bin/")[2] if part else ""
        if program in ("python", "python3") and part[1:2] == ["-m"] and part[2:3] and part[2] in MODULES:
            program, arguments = part[2], part[3:]
        elif part[:2] == ["docker", "compose"]:
            program, arguments = "compose", part[2:]
        elif program in (*SCRIPTS, "make"):
            arguments = part[1:]
        else:
            continue
        yield Command(page, program, tuple(arguments), tuple(word for word in variables if word not in aliases))


def _parts(words: list[str]) -> Iterator[list[str]]:
    """A line's simple commands, without redirections: as ``a``, ``b c`` of ``a 2> file | b c``."""
    part: list[str] = []
    pending = iter(words)
    for word in pending:
        if not re.fullmatch(r"[();<>|&]+", word):
            part.append(word)
        elif "<" in word or ">" in word:
            next(pending, None)
            if part and re.fullmatch(r"\d", part[-1]):
                part.pop()
        else:
            yield part
            part = []
    yield part


def run(program: str, *arguments: str) -> int:
    """Run a program of ours in this process, as its entry point or ``python -m`` starts it; its exit status."""
    script = f"/venv/bin/{program}"
    on_sigterm = signal.getsignal(signal.SIGTERM)
    with mock.patch.object(sys, "argv", [script, *arguments]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*found in sys.modules after import of package", RuntimeWarning)
        try:
            if program in SCRIPTS:
                [entry] = entry_points(group="console_scripts", name=program)
                return int(entry.load()() or 0)
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            signal.signal(signal.SIGTERM, on_sigterm)  # segstack replaces it
    return 0


class _ParsedError(BaseException):
    """Raised once a command line has been read: nothing of ours catches it."""


def parsing_error(command: Command) -> str | None:
    """What the program's own parser objects to in a command line, or None; the command does nothing else.

    Of a command inside a sentence, arguments may be missing.
    """
    import argparse

    if command.program == "serving" or (command.program, *command.arguments[:1]) == ("segstack", "serve"):
        from serving import flags  # TensorFlow Serving's own, which argparse does not read

        unknown = flags.parse(command.arguments[command.program == "segstack" :]).unknown
        return f"unknown flags {unknown}" if unknown else None
    parse_args = argparse.ArgumentParser.parse_args

    def parse_and_end(parser, *arguments, **options):
        parse_args(parser, *arguments, **options)
        raise _ParsedError

    output = io.StringIO()
    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", parse_and_end),
        contextlib.redirect_stderr(output),
        contextlib.redirect_stdout(output),
    ):
        try:
            status = run(command.program, *command.arguments)
        except _ParsedError:
            return None
    if status == 0:  # --help, --version
        return None
    if not command.is_whole and re.search(r"required|expected (one|at least one) argument", output.getvalue()):
        return None
    return output.getvalue()
