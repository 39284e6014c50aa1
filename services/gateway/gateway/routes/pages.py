"""The web page and the API reference: static files, nothing from another host."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

_STATIC = Path(__file__).parent.parent / "static"

# Everything comes from the gateway, except a video that the user dropped (blob:). Photos are drawn, never loaded.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    # The page may use the camera, and nothing else that needs the user's permission.
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Cache-Control": "no-cache",
}

router = APIRouter(include_in_schema=False)


class _Assets(StaticFiles):
    """Scripts and styles, revalidated every time (304 if unchanged), so that they always fit the page."""

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
    """The API reference, rendered from /openapi.json by our own script: the usual ones come from a CDN."""
    return FileResponse(_STATIC / "docs/docs.html", headers=_HEADERS)
