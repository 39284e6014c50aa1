"""The web page and the API reference: plain files, nothing from another host."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

_STATIC = Path(__file__).parent.parent / "static"

# Everything is ours alone, but for the video that the visitor dropped (blob:). Photos are drawn, never loaded.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    # The camera for the page itself; nothing else that a browser asks its user for.
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


class _Assets(StaticFiles):
    """Scripts and styles, asked for anew each time (304 when unchanged): never older than the page around them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


assets = _Assets(directory=_STATIC)


@router.api_route("/", methods=["GET", "HEAD"])
async def page() -> FileResponse:
    """The page that takes an image and shows the overlay."""
    return FileResponse(_STATIC / "index.html", headers=_HEADERS)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> FileResponse:
    """The API reference, drawn from /openapi.json by a script of ours: the usual ones come from a CDN."""
    return FileResponse(_STATIC / "docs.html", headers=_HEADERS)
