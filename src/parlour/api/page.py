"""The page: built files from the wheel, precompressed, hashed assets cached for good."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from parlour.errors import NotFound

STATIC = Path(__file__).parent.parent / "static"
IMMUTABLE = "public, max-age=31536000, immutable"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
MISSING = (
    "<!doctype html><title>Parlour</title><p>The page has not been built. "
    "Run <code>make page</code> in a checkout, or install the wheel, which carries it.</p>"
)


def router() -> APIRouter:
    """`/`, `/c/<thread>` and `/assets/*`."""
    routes = APIRouter(include_in_schema=False)
    assets = _files(STATIC / "assets")

    @routes.api_route("/", methods=["GET", "HEAD"], response_model=None)
    @routes.api_route("/c/{thread}", methods=["GET", "HEAD"], response_model=None)
    async def page(request: Request, thread: str = "") -> Response:
        """The one page; which conversation it shows is the client's matter."""
        del thread
        index = STATIC / "index.html"
        if not index.is_file():
            return HTMLResponse(MISSING, 503)
        return _serve(request, index, "no-cache")

    @routes.api_route("/assets/{name:path}", methods=["GET", "HEAD"], response_model=None)
    async def asset(request: Request, name: str) -> Response:
        """A hashed file."""
        file = assets.get(name)
        if file is None:
            raise NotFound("There is no such file.")
        return _serve(request, file, IMMUTABLE)

    return routes


def _files(folder: Path) -> dict[str, Path]:
    """Names known at start are the only ones served: nothing to traverse."""
    if not folder.is_dir():
        return {}
    return {str(f.relative_to(folder)): f for f in folder.rglob("*") if f.is_file()}


def _serve(request: Request, file: Path, cache: str) -> Response:
    headers = {"cache-control": cache, "vary": "accept-encoding"}
    media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    accepted = request.headers.get("accept-encoding", "")
    for name, suffix in ENCODINGS:
        packed = file.with_name(file.name + suffix)
        if name in accepted and packed.is_file():
            return FileResponse(
                packed, media_type=media, headers={**headers, "content-encoding": name}
            )
    return FileResponse(file, media_type=media, headers=headers)
