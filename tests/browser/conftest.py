"""One stack and one browser for all tests of the page."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.stack import Feed, Stack, board_process
from tests.support.eventually import PATIENCE
from tests.support.gateway import gateway_process
from tests.support.pipeline import Pipeline
from tests.support.scenario import BATTLES
from tests.support.stack import TestBroker, TestRedis

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FAIRNESS = "[default]\nreview_battles = 1_000\n"
WIDE, PHONE = (1280, 900), (360, 740)

expect.set_options(timeout=15_000 * PATIENCE)


@pytest.fixture(scope="package")
def stack(broker: TestBroker, redis_server: TestRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Topics, a worker with every stage, a gateway and a board."""
    directory = tmp_path_factory.mktemp("page")
    chosen = directory / "fairness.toml"
    chosen.write_text(FAIRNESS)
    prefix = f"b{secrets.token_hex(3)}"
    pipeline = Pipeline(
        broker.bootstrap, redis_server.url, f"{prefix}.", prefix, directory, {"ISONOMY_FAIRNESS_FILE": str(chosen)}
    )
    # One partition: of several, a burst gets into the ledger in another order, and a removal would come and go.
    pipeline.create_topics(votes=1)
    gateway = gateway_process(broker.bootstrap, pipeline.topic_prefix, directory)
    board = board_process(pipeline, directory)
    try:
        gateway.process.start()
        pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
        gateway.wait("/readyz")
        board.start()
        yield Stack(pipeline, gateway, board)
    finally:
        for process in (board.process, gateway.process):
            if process.alive:
                process.terminate()
        pipeline.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; `deploy/ensure-chromium` installs it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no chromium, and apt could not install one: deploy/ensure-chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def removal(stack: Stack) -> str:
    """An arena in which model-07 was removed in silence."""
    feed = Feed(stack, "removal")
    feed.declare()
    feed.votes(0, BATTLES)
    stack.on_page("removal")
    return "removal"


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Visit]:
    """Open an address of the page; whatever the console complains of in the end fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A model has no history before its first sample; the browser itself writes that answer down.
        if message.type in ("error", "warning") and "/history?" not in str(message.location):
            complaints.append(f"{message.type}: {message.text} {message.location}")

    def open_page(
        address: str = "",
        *,
        size: tuple[int, int] = WIDE,
        scheme: str = "light",
        url: str | None = None,
        quiet: bool = True,
        before: Callable[[Page], object] | None = None,
    ) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]  # "light" or "dark"
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000 * PATIENCE)
        if quiet:
            page.on("console", hear)
            page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        if before is not None:
            before(page)
        page.goto(f"{url or stack.board.url}/{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Write a figure down: into the report, and to the terminal with -s."""

    def tell(name: str, value: str) -> None:
        record_property(name, value)
        print(f"\n{name}: {value}")

    return tell


def places() -> Path:
    """What `deploy/ensure-page` fetched."""
    return Path(__file__).resolve().parents[2] / ".isonomy" / "page"
