"""Hostile names are shown as names and have no other effect."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, Visit
from tests.browser.stack import Stack
from tests.support.hostile_names import HOSTILE

NAMES = [
    "<img src=x onerror=window.harmed=1>",
    '"><script>window.harmed=1</script>',
    "' onmouseover=window.harmed=1 x='",
    "javascript:window.harmed=1",
    "model \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "W" * 128,
    "a" * 60 + "/" + "b" * 60,
    "lab/model?x=1#y&z%20%2F",
    "{{7*7}} ${window.harmed=1}",
    "\U0001f469\U0001f680" * 20,
]


@pytest.fixture(scope="module")
def hostile(stack: Stack) -> str:
    for name in NAMES:
        stack.pipeline.declare("hostile", name, provider=f"{name[:60]}<b>", license="open_weight", weight=1.0)
    stack.crowd("hostile", NAMES)
    stack.on_page("hostile")
    return "hostile"


def test_two_hundred_names_of_every_kind_are_text(stack: Stack, visit: Visit) -> None:
    stack.crowd("strange", HOSTILE)
    stack.on_page("strange")
    page = visit("#/strange/leaderboard")
    names = page.locator("table.board th.model a")
    expect(names).to_have_count(len(HOSTILE))
    assert sorted(names.all_text_contents()) == sorted(HOSTILE)
    assert page.locator("main :is(img, script, svg title, iframe, style, base, form, details)").count() == 0
    page.goto(f"{page.url.split('#')[0]}#/strange/fairness")
    page.get_by_role("button", name="Show all").first.click()
    shown = page.locator("table.shares th.model a")
    expect(shown).to_have_count(len(HOSTILE))
    assert sorted(shown.all_text_contents()) == sorted(HOSTILE)


def unharmed(page: Page, width: int) -> None:
    assert page.evaluate("window.harmed") is None
    assert page.locator("main img, main script, main b:not(.counters b)").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_hostile_names_are_text_in_every_view(hostile: str, visit: Visit, size: tuple[int, int]) -> None:
    page = visit(f"#/{hostile}/leaderboard", size=size)
    names = page.locator("table.board th.model a")
    expect(names).to_have_count(len(NAMES))
    assert sorted(names.all_text_contents()) == sorted(NAMES)
    unharmed(page, size[0])
    page.goto(f"{page.url.split('#')[0]}#/{hostile}/fairness")
    expect(page.locator("table.shares th.model a")).to_have_count(len(NAMES))
    unharmed(page, size[0])


def test_each_hostile_name_has_an_address_that_leads_to_its_page(hostile: str, visit: Visit) -> None:
    page = visit(f"#/{hostile}/leaderboard")
    for name in NAMES:
        link = page.locator("table.board th.model a").filter(has=page.get_by_text(name, exact=True)).first
        page.goto(f"{page.url.split('#')[0]}{link.get_attribute('href')}")
        expect(page.get_by_role("heading", level=1).locator("bdi")).to_have_text(name, use_inner_text=False)
        expect(page.locator(".counters")).to_contain_text("Rating")
        unharmed(page, WIDE[0])
        page.go_back()
        expect(page.locator("table.board")).to_be_visible()
