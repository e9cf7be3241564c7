"""What happens in the arena is on the page at once, without reloading it."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.stack import Feed, Stack
from tests.support.eventually import PATIENCE
from tests.support.scenario import BATTLES, REMOVED_AT

VOTES = 7
WATCH = """() => {
  window.seen = [];
  window.loaded = performance.timeOrigin;
  const about = document.querySelector(".about");
  new MutationObserver(() => window.seen.push([about.textContent, (performance.timeOrigin + performance.now()) / 1000]))
    .observe(about, { childList: true, characterData: true, subtree: true });
}"""


def count_of(page: Page, votes: int) -> float:
    """Wait until the page shows this number of votes; returns the time, epoch seconds."""
    text = f"{votes:,} votes"
    page.wait_for_function("text => window.seen.some(([about]) => about.includes(text))", arg=text)
    return float(page.evaluate("text => window.seen.find(([about]) => about.includes(text))[1]", text))


def test_the_board_follows_a_vote_within_a_second(stack: Stack, visit: Visit, told: Callable[[str, str], None]) -> None:
    stack.crowd("prompt", [f"quick-{number}" for number in range(8)])
    before = 8 * 5
    page = visit("#/prompt/leaderboard")
    expect(page.locator("#stream")).to_contain_text("Live")
    expect(page.locator(".about")).to_contain_text(f"{before} votes")
    page.evaluate(WATCH)
    delays = []
    for number in range(VOTES):
        sent = stack.vote("prompt", "quick-1", "quick-2", "model_b")
        delays.append(count_of(page, before + number + 1) - sent)
    told("vote to page, seconds", f"median {statistics.median(delays):.3f}, largest {max(delays):.3f}")
    assert statistics.median(delays) < 1.0 * PATIENCE
    assert page.evaluate("window.loaded === performance.timeOrigin"), "without reloading"


def test_a_silent_removal_appears_by_itself(stack: Stack, visit: Visit, told: Callable[[str, str], None]) -> None:
    feed = Feed(stack, "watched")
    feed.declare()
    feed.votes(0, REMOVED_AT)
    stack.on_page("watched")
    page = visit("#/watched/leaderboard")
    row = page.locator("table.board tr", has_text="model-07")
    expect(row).to_be_visible()
    expect(page.locator(".banner")).to_have_count(0)
    page.evaluate("window.stayed = true")
    # All that is said, for what comes ten seconds later replaces it.
    page.evaluate(
        """() => {
          const region = document.querySelector("#polite");
          window.said = [];
          new MutationObserver(() => window.said.push(region.textContent)).observe(region, { childList: true });
        }"""
    )

    feed.votes(REMOVED_AT, BATTLES)
    banner = page.locator(".banner")
    expect(banner).to_contain_text("model-07 is no longer shown to voters, though it is declared active at 10 % of")
    expect(banner).to_contain_text("chance would show this less than once in")
    expect(row.locator(".tag")).to_have_text("no longer shown")
    expect(page.locator("nav .badge")).to_be_visible()
    page.wait_for_function("said.some(sentence => sentence.includes('critical alert: model-07'))")
    assert page.evaluate("window.stayed"), "without reloading"
    told("banner", " | ".join(banner.inner_text().split("\n")))


def test_only_what_changed_is_drawn_again_and_focus_and_scroll_stay(stack: Stack, visit: Visit) -> None:
    names = [f"steady-{number:02}" for number in range(40)]
    stack.crowd("steady", names)
    page = visit("#/steady/leaderboard")
    expect(page.locator(".about")).to_contain_text("200 votes")
    link = page.get_by_role("link", name="steady-20", exact=True)
    link.focus()
    page.mouse.wheel(0, 400)
    page.wait_for_function("scrollY > 0")
    page.evaluate(
        """() => {
          const rows = [...document.querySelectorAll("tbody tr")];
          window.rows = new Map(rows.map((row) => [row.querySelector("th a").textContent, row]));
          window.at = scrollY;
          window.written = 0;
          new MutationObserver((changes) => (window.written += changes.length))
            .observe(document.querySelector("tbody"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    stack.vote("steady", "steady-20", "steady-21")
    expect(page.locator(".about")).to_contain_text("201 votes")
    assert page.evaluate("document.activeElement.textContent") == "steady-20"
    assert page.evaluate("scrollY === window.at")
    kept = """() => [...document.querySelectorAll("tbody tr")]
      .every((row) => window.rows.get(row.querySelector("th a").textContent) === row)"""
    assert page.evaluate(kept), "rows are kept, not made again"
    assert 0 < page.evaluate("window.written") < 40 * 8, "and only cells that differ are written"
