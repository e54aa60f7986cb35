"""GET /view: the live view in a browser, its parts, and /view/{id}, the same page on one generation.

The page is the same for everybody and tells nothing, so it needs no key. What it reads needs the caller's.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse

from steiner.server.errors import UnknownResource
from steiner.view.page import ASSETS, FOLDER, MEDIA_TYPES, POLICY, STANDALONE, live_page, standalone_page

router = APIRouter(include_in_schema=False)

OPEN_FOLDERS = ("/view",)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The parts are small, and new and old versions of them must never mix.
    "Cache-Control": "no-cache",
}


@router.get("/view")
async def view() -> HTMLResponse:
    """The page."""
    return HTMLResponse(live_page("./"), headers=HEADERS)


@router.get("/view/assets/{name}")
async def asset(name: str) -> Response:
    """One of its parts; `standalone.html` is the page as one file, for it to put a trace into."""
    if name == STANDALONE:
        # As text: a page made for a file on somebody's disk must not run on this origin.
        return Response(standalone_page(), media_type="text/plain", headers=HEADERS)
    if name not in ASSETS:
        raise UnknownResource(f"no route GET /view/assets/{name}", code="unknown_route")
    path = FOLDER / name
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers=HEADERS)


@router.get("/view/{generation_id}")
async def view_generation(generation_id: str) -> HTMLResponse:
    """The page, which reads the id from its own address."""
    return HTMLResponse(live_page("../"), headers=HEADERS)
