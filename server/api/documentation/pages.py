"""GET /docs: Swagger UI over /openapi.json. Nothing is fetched from elsewhere.

The script and the style are the ones that vLLM ships for its own pages, so that a server without internet access
has them. They are read as files, and vllm is not imported.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse

from steiner.server.errors import UnknownResource

router = APIRouter(include_in_schema=False)

IN_VLLM = Path("entrypoints/serve/instrumentator/static")
MEDIA_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}

# Addresses are relative, so that the page is right behind a proxy that adds a prefix.
SCRIPT = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
})"""
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Steiner - API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>{SCRIPT}</script>
</body>
</html>
"""
SCRIPT_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{SCRIPT_HASH}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@lru_cache(maxsize=1)
def _folder() -> Path | None:
    """Where vLLM keeps Swagger UI; None if the installed vLLM has none."""
    found = find_spec("vllm")
    folders = [Path(place) / IN_VLLM for place in (found and found.submodule_search_locations) or ()]
    return next((folder for folder in folders if folder.is_dir()), None)


@router.get("/docs")
async def documentation() -> Response:
    """The page."""
    if _folder() is None:
        raise UnknownResource(
            "the installed vLLM has no Swagger UI; the document itself is at /openapi.json",
            code="unknown_route",
        )
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/{name}")
async def asset(name: str) -> Response:
    """One of its two files."""
    folder = _folder()
    if folder is None or name not in MEDIA_TYPES:
        raise UnknownResource(f"no route GET /docs/{name}", code="unknown_route")
    return FileResponse(
        folder / name, media_type=MEDIA_TYPES[name], headers={"Cache-Control": "max-age=86400"}
    )
