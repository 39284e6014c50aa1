"""``segclient folder``: every image of a folder, however many and however often it is interrupted."""

import argparse
import itertools
import sys
from pathlib import Path

from segclient.api.options import RenderOptions
from segclient.commands.folder_run import FolderRun
from segclient.commands.journal import RESULTS, Journal
from segclient.commands.listing import images
from segclient.commands.progress import progress
from segclient.commands.shared import add_command, add_parallel, asked, client
from segclient.errors import PictureError, SettingsError

# Of failures, as many are told; the journal has them all.
_TOLD = 10


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``folder``."""
    folder = add_command(
        commands,
        "folder",
        _folder,
        "segment every image below a folder; run again, it goes on where it was",
        ("mask", "overlay", "color", "json"),
    )
    folder.add_argument("folder", type=Path, help="JPEG, PNG and WebP files, in sub-folders too")
    folder.add_argument("--output", type=Path, required=True, metavar="FOLDER", help=f"the same tree, and {RESULTS}")
    folder.add_argument("--retry-failed", action="store_true", help="only those that failed before")
    add_parallel(folder)


def _folder(options: argparse.Namespace) -> int:
    wanted: RenderOptions = asked(options)
    if options.kind == "overlay":
        wanted["alpha"] = options.alpha
    source, target = options.folder, options.output
    if not source.is_dir():
        raise PictureError(f"{source}: no such folder; expected one with images")
    if target.exists() and target.samefile(source):
        raise SettingsError(f"--output {target} is the folder of the images itself; name another")
    with (
        client(options) as gateway,
        Journal(target, {"folder": str(source.resolve()), "as": options.kind, **wanted}) as journal,
    ):
        run = FolderRun(gateway, source, target, options.kind, wanted, options.parallel)
        if options.retry_failed:
            done, total = 0, len(journal.failed)
            files = iter(list(journal.failed))
        else:
            done, total = len(journal.done) + len(journal.failed), sum(1 for _ in images(source, target))
            files = run.pending(journal)
        # Told before anything is done: a wrong address or key.
        first = next(files, None)
        if first is not None:
            gateway.models()
            with progress(source.name or str(source), "image", max(total, done), done) as bar:
                run.run(itertools.chain([first], files), journal, bar.update)
        return _summary(journal, target)


def _summary(journal: Journal, target: Path) -> int:
    if not journal.done and not journal.failed:
        print("segclient: no JPEG, PNG or WebP file is there", file=sys.stderr)
        return 1
    print(f"{len(journal.done)} images are done, {len(journal.failed)} failed: {target / RESULTS}")
    for file, message in itertools.islice(journal.failed.items(), _TOLD):
        print(f"segclient: {file}: {message}", file=sys.stderr)
    if len(journal.failed) > _TOLD:
        print(f"segclient: and {len(journal.failed) - _TOLD} more", file=sys.stderr)
    if journal.failed:
        print("segclient: the same command with --retry-failed tries these again", file=sys.stderr)
    return 1 if journal.failed else 0
