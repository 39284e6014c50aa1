"""The contract runs wherever Python does: it imports nothing that has to be installed."""

import ast
import sys
from pathlib import Path

import pytest

import contract

FOLDER = Path(contract.__file__).parent


def imported_packages(source):
    """The names of the top-level packages that any import statement names, also in functions."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_imports_in_functions_are_found():
    assert imported_packages("import a.b\ndef f():\n    from c.d import e\n    from . import g") == {"a", "c"}


if sys.version_info >= (3, 10):  # the first with stdlib_module_names

    @pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.relative_to(FOLDER).as_posix())
    def test_only_the_standard_library_is_imported(path):
        assert imported_packages(path.read_text(encoding="utf-8")) <= sys.stdlib_module_names | {"contract"}
