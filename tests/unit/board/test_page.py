"""The files of the page: what a browser may keep, and what it may load."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from services.board.app import Page

from .conftest import TestBoard


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>x</title>")
    (tmp_path / "vendor" / "plot-1.2.3.js").write_text("export {}")
    (tmp_path.parent / "secret").write_text("no")
    return tmp_path


@pytest.fixture
def client(files: Path) -> httpx.AsyncClient:
    app = Starlette(routes=[Mount("/", Page(files))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board")


async def test_the_page_is_asked_for_again_and_may_load_only_its_own(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "script-src" not in policy  # that of default-src holds: no inline script, no eval
    assert "unsafe-eval" not in policy
    again = await client.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["content-security-policy"] == policy


async def test_what_has_its_version_in_its_name_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/vendor/plot-1.2.3.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/vendor/..%2f..%2fsecret", "/none"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_the_board_serves_it_at_its_root(running: TestBoard) -> None:
    for path in ("/", "/static/index.html"):
        answer = await running.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
    assert running.count("isonomy_board_requests_total", route="/", status="200") == 1
