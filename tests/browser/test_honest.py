"""The page says when it has nothing to show, and when what it shows may be old."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from services.cli.topics import ensure_topics
from streams.contracts.settings import Settings
from streams.contracts.stopped import Stopped, encode_stopped
from tests.browser.conftest import PHONE, Visit
from tests.browser.stack import Stack, board_process


def test_a_board_that_is_gone_is_said_and_its_return_too(
    stack: Stack, removal: str, visit: Visit, tmp_path: Path
) -> None:
    board = board_process(stack.pipeline, tmp_path, "second-board").start()
    try:
        page = visit(f"#/{removal}/leaderboard", url=board.url, quiet=False)
        stream = page.locator("#stream")
        expect(stream).to_contain_text("Live")
        expect(page.locator(".stream-notice")).to_be_hidden()
        board.process.kill()
        expect(stream).to_contain_text("Gone since")
        expect(page.locator(".stream-notice")).to_contain_text("The board has not been reached since")
        expect(page.locator("table.board tbody tr").first).to_be_visible()
        stack.vote(removal, "model-01", "model-02")
        board.start()
        expect(stream).to_contain_text("Live")
        expect(page.locator(".stream-notice")).to_be_hidden()
        expect(page.locator(".about")).to_contain_text("6,001 votes")
    finally:
        if board.process.alive:
            board.process.terminate()


def test_without_an_arena_it_says_so(stack: Stack, visit: Visit, tmp_path: Path) -> None:
    nothing = {"ISONOMY_REDIS_PREFIX": "nothing-here", "ISONOMY_TOPIC_PREFIX": f"{stack.pipeline.topic_prefix}nothing."}
    ensure_topics(Settings.from_env({**stack.pipeline.environment, **nothing}), create=True)
    board = board_process(stack.pipeline, tmp_path, "empty-board", **nothing).start()
    try:
        page = visit(url=board.url, quiet=False)
        expect(page.locator("main")).to_contain_text("No arena has published anything yet")
    finally:
        board.process.terminate()


def test_a_redis_that_is_empty_beside_a_ledger_that_is_not_is_no_empty_arena(
    stack: Stack, removal: str, visit: Visit, tmp_path: Path
) -> None:
    board = board_process(stack.pipeline, tmp_path, "blank-board", ISONOMY_REDIS_PREFIX="nothing-here").start()
    try:
        page = visit(url=board.url, quiet=False)
        expect(page.locator("main")).to_contain_text("nothing is known yet", ignore_case=True)
    finally:
        board.process.terminate()


@pytest.mark.parametrize("address", ["#/nowhere/leaderboard", "#/{}/model/nobody"])
def test_what_there_is_not_is_said_with_what_there_is(removal: str, visit: Visit, address: str) -> None:
    page = visit(address.format(removal), quiet=False)
    expect(page.locator("main .state:visible")).to_contain_text("here is no")


def test_an_arena_that_declares_nothing_is_not_judged(stack: Stack, visit: Visit) -> None:
    stack.crowd("undeclared", ["one", "two", "three"])
    stack.on_page("undeclared")
    page = visit("#/undeclared/fairness")
    expect(page.locator(".lead")).to_contain_text("declares no models")
    first = page.locator("table.shares tbody tr").first
    expect(first.locator(".declared")).to_have_text("–")
    expect(first.locator(".evidence")).to_have_text("–")
    expect(page.locator(".counters")).to_contain_text("–\nInactive without notice", use_inner_text=True)
    expect(page.locator("body")).not_to_contain_text("0 %")
    page = visit("#/undeclared/alerts")
    expect(page.locator("main .state:visible")).to_have_text("No alert fires. 1 of 26 kinds of alerts is judged.")
    expect(page.locator(".judged")).to_contain_text("share drift")
    expect(page.locator(".judged")).to_contain_text("the arena declares no models")
    page = visit("#/undeclared/model/one")
    expect(page.locator(".lead")).to_contain_text("cannot be judged: the arena declares no models")
    expect(page.locator("main")).not_to_contain_text("It is treated as declared")


def test_that_no_alert_fires_is_shown_with_what_was_judged(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/alerts", size=PHONE)
    judged = page.locator(".judged")
    expect(judged).to_contain_text("silent removal, on 19 subjects, since")
    expect(judged).to_contain_text("no vote has a prompt hash")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


def test_an_arena_that_stands_still_says_so_until_it_goes_on(stack: Stack, visit: Visit) -> None:
    stack.crowd("still", ["one", "two", "three"])
    stack.on_page("still")
    page = visit("#/still/leaderboard", quiet=False)
    expect(page.locator(".stopped-notice")).to_have_count(0)
    keys = stack.pipeline.settings.redis.keys
    with stack.pipeline.redis as redis:
        redis.set(keys.stopped("still", "ratings"), encode_stopped(Stopped(1_767_225_600.0, "for this test")))
        redis.publish(keys.changed("still"), b'{"arena":"still","stopped":true}')
        notice = page.locator(".stopped-notice")
        expect(notice).to_contain_text("Its boards stand still")
        expect(notice).to_contain_text("since 1 Jan")
        expect(page.locator("body")).not_to_contain_text("for this test")
        expect(page.locator("#stream")).to_contain_text("Stopped")
        redis.delete(keys.stopped("still", "ratings"))
        redis.publish(keys.changed("still"), b'{"arena":"still","stopped":true}')
    expect(page.locator(".stopped-notice")).to_have_count(0)
