"""Makes ``segstack`` work in an image, where services are copied and not installed; any Python from 3.8.

``write_metadata.py APP PYPROJECT… [--python NAME]``: for each service's pyproject.toml a ``.dist-info`` in the folder
APP, which is on PYTHONPATH, so that ``importlib.metadata`` finds the commands; and APP/bin/segstack, to be on PATH.
"""

import argparse
import re
from pathlib import Path

SCRIPT = """\
#!/usr/bin/env {python}
import sys

from contract.cli import run

sys.exit(run())
"""


def main() -> None:
    """Write the metadata and the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("app", type=Path)
    parser.add_argument("pyprojects", type=Path, nargs="+")
    parser.add_argument("--python", default="python", help="the image's interpreter, by its name on PATH")
    options = parser.parse_args()
    version_file = (options.app / "contract" / "version.py").read_text(encoding="utf-8")
    version = re.findall('^__version__ = "(.+)"$', version_file, re.MULTILINE)[0]
    for pyproject in options.pyprojects:
        write_dist_info(options.app, pyproject.read_text(encoding="utf-8"), version)
    script = options.app / "bin" / "segstack"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SCRIPT.format(python=options.python), encoding="utf-8")
    script.chmod(0o755)


def write_dist_info(app: Path, pyproject: str, version: str) -> None:
    """Write what ``importlib.metadata`` reads of one service: its name, version and entry points."""
    name = re.findall('^name = "(.+)"$', pyproject, re.MULTILINE)[0]
    # Python 3.8 has no tomllib. The table's lines are those of entry_points.txt, but for their quotes.
    group = pyproject.partition('\n[project.entry-points."segstack.commands"]\n')[2].partition("\n\n")[0]
    if not group:
        raise SystemExit(f'write_metadata.py: {name} has no [project.entry-points."segstack.commands"]')
    folder = app / "{}-{}.dist-info".format(name.replace("-", "_"), version)
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    entry_points = "[segstack.commands]\n" + group.replace('"', "") + "\n"
    (folder / "entry_points.txt").write_text(entry_points, encoding="utf-8")


if __name__ == "__main__":
    main()
