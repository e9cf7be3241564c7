"""The page: the files of `services/board/static`; a browser keeps what never changes, and asks for the rest."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""Of files below `vendor/`: their names carry their version, so another content has another name."""
ASK_AGAIN = "no-cache"
"""Of all others: a browser asks each time, and is mostly answered 304."""


class Page(StaticFiles):
    """Serves the files; a missing one is a 404 like any other."""

    def __init__(self, directory: Path = STATIC) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Add the headers."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        vendored = "vendor" in Path(full_path).relative_to(Path(str(self.directory)).resolve()).parts
        response.headers.update({**_ALWAYS, "Cache-Control": FOR_EVER if vendored else ASK_AGAIN})
        return response
