"""The page's files: every one is reached from a page, and nothing outside their folder is served."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

import gateway

STATIC = Path(gateway.__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
LINK = re.compile(r'(?:src|href)="(/static/[^"]+)"')
IMPORT = re.compile(r'(?:from |new URL\()"([^"]+)"')
MAX_FILES = 16


@pytest.fixture
def linked(client):
    """The replies to the files that the two pages load, and to those which these import, by path."""
    replies = {}
    paths = [path for page in ("/", "/docs") for path in LINK.findall(client.get(page).text)]
    while paths:
        path = paths.pop()
        if path not in replies:
            replies[path] = client.get(path)
            if path.endswith(".js"):
                imported = [name for name in IMPORT.findall(replies[path].text) if not name.startswith("/")]
                paths += [urljoin(path, name) for name in imported]
    return replies


def test_every_linked_file_is_served_with_its_type_and_revalidated(linked):
    for path, reply in linked.items():
        assert reply.status_code == 200, path
        assert reply.headers["content-type"].startswith(TYPES[Path(path).suffix]), path
        assert reply.headers["Cache-Control"] == "no-cache", path


def test_every_file_is_linked(linked):
    files = {f"/static/{path.relative_to(STATIC).as_posix()}" for path in STATIC.rglob("*") if path.is_file()}
    assert set(linked) == {path for path in files if not path.endswith(".html")}


def test_no_folder_of_the_page_holds_more_than_sixteen_files():
    for folder in (STATIC, *(path for path in STATIC.rglob("*") if path.is_dir())):
        assert sum(path.is_file() for path in folder.iterdir()) <= MAX_FILES, folder


def test_unchanged_file_is_304(client):
    etag = client.get("/static/live/live.js").headers["etag"]
    assert client.get("/static/live/live.js", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "%2e%2e/app.py",
        "..%2fapp.py",
        "live/%2e%2e/%2e%2e/app.py",
        "live/..%2f..%2fapp.py",
        "painting/%2e%2e%2f%2e%2e%2f__init__.py",
        "%2fetc/passwd",
        "live",
        "live/",
        "live/none.js",
    ],
)
def test_path_outside_the_folder_and_folders_themselves_are_404(client, path):
    assert client.get(f"/static/{path}").status_code == 404
