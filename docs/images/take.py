"""Takes the pictures of the page, from a real stack that is given the made-up arena beside this file.

    .venv/bin/python docs/images/take.py

It needs what the tests of the page need: deploy/ensure-redis and ensure-chromium. Letters are Inter, where
the system has it (Debian: fonts-inter).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from kafka import KafkaProducer  # noqa: E402 -- after the path
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from streams.contracts.topics import VOTES  # noqa: E402
from tests.browser.conftest import FLAGS  # noqa: E402
from tests.browser.stack import BoardProcess, Feed, Stack, board_process  # noqa: E402
from tests.support.gateway import gateway_process  # noqa: E402
from tests.support.pipeline import Pipeline  # noqa: E402
from tests.support.stack import make_broker, make_redis  # noqa: E402

ARENA = "text"
WIDE, TALL, PHONE = (1280, 900), (1280, 1180), (390, 844)
PICTURES = (
    ("leaderboard", "leaderboard", WIDE, "light"),
    ("fairness", "fairness", TALL, "light"),
    ("alerts-dark", "alerts", (1280, 800), "dark"),
    ("model-dark", "model/maple-4", TALL, "dark"),
    ("phone", "leaderboard", PHONE, "light"),
    ("phone-dark", "fairness", PHONE, "dark"),
)


def main() -> None:
    """Start everything, send the arena, take each picture."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker, redis = make_broker(directory / "broker"), make_redis(directory / "redis")
        for server in (broker.server, redis.server):
            if server is not None:
                stack.enter_context(server)
        pipeline = Pipeline(broker.bootstrap, redis.url, "pictures.", "pictures", directory).create_topics(votes=1)
        stack.callback(pipeline.stop)
        board = board_process(pipeline, directory)
        pipeline.worker(stages="intake,ratings,fairness").start().wait_ready()
        board.start()
        stack.callback(board.process.terminate)
        send(Stack(pipeline, gateway_process(broker.bootstrap, "pictures.", directory), board))
        take(board)


def send(stack: Stack) -> None:
    """Send the arena with its own times as the record times: its history is then as long as it says."""
    feed = Feed(stack, ARENA, (HERE / "arena.toml").read_text())
    feed.declare()
    producer = KafkaProducer(bootstrap_servers=stack.pipeline.bootstrap, acks="all", linger_ms=5, batch_size=200_000)
    topic = stack.pipeline.settings.kafka.topic(VOTES.name)
    for key, value in feed.records:
        producer.send(topic, key=key, value=value, timestamp_ms=int(1_000 * json.loads(value)["tstamp"]))
    producer.flush()
    producer.close()
    stack.pipeline.wait_counted(len(feed.records), ARENA)
    stack.on_page(ARENA)


def take(board: BoardProcess) -> None:
    """Take the pictures."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        if path is None:
            raise SystemExit("there is no chromium: deploy/ensure-chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for name, view, size, scheme in PICTURES:
            picture(browser, f"{board.url}/#/{ARENA}/{view}", size, scheme, HERE / f"{name}.png")
            print(f"docs/images/{name}.png")
        browser.close()


def picture(browser: Browser, url: str, size: tuple[int, int], scheme: str, path: Path) -> None:
    """Take one, once everything stands."""
    width, height = size
    scale = 2 if width < 500 else 1
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]  # "light" or "dark"
        device_scale_factor=scale,
        reduced_motion="reduce",
        bypass_csp=True,  # Playwright hides the caret with a style of its own
    )
    page = context.new_page()
    page.goto(url)
    page.locator(".banner").first.wait_for()
    page.locator("main table tbody tr, main .card").first.wait_for()
    for figure in page.locator("figure.curve").all():
        figure.locator("canvas, details[open], p:not([hidden])").first.wait_for()
    page.evaluate("document.fonts.ready")
    page.screenshot(path=path)
    context.close()


if __name__ == "__main__":
    main()
