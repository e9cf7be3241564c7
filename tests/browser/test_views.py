"""Every view says what it is there to say; addresses, filters, the other rating and board, light and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Visit
from tests.browser.stack import Stack
from tests.support.scenario import BATTLES

VIEWS = ("leaderboard", "fairness", "alerts", "model/model-07")


def test_the_page_alone_says_who_is_treated_unfairly_since_when_and_how_sure_that_is(
    removal: str, visit: Visit
) -> None:
    page = visit(f"#/{removal}/fairness")
    banner = page.get_by_role("region", name="Critical alert")
    expect(banner).to_contain_text("model-07")
    expect(banner).to_contain_text("Since")
    expect(banner).to_contain_text("UTC")
    expect(banner).to_contain_text("less than once in")
    expect(page.locator(".lead")).to_contain_text("1 of 20 models is not treated as declared: model-07")
    first = page.locator("table.shares tbody tr").first
    expect(first).to_contain_text("model-07")
    expect(first).to_contain_text("−100 %")
    expect(page.locator(".counters")).to_contain_text("1\nInactive without notice", use_inner_text=True)
    expect(page.locator("table.groups").first.locator("tbody tr")).to_have_count(10)


def test_the_evidence_curve_is_drawn_and_stands_in_a_table_too(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/fairness")
    figure = page.locator("figure.curve").first
    expect(figure.locator("canvas")).to_be_visible()
    expect(figure.locator(".legend")).to_contain_text("model-07")
    figure.get_by_text("Numbers as a table").click()
    expect(figure.locator("tbody tr")).to_have_count(BATTLES // 1_000)


def test_without_the_plotting_library_curves_are_tables(removal: str, visit: Visit) -> None:
    page = visit(
        f"#/{removal}/fairness", quiet=False, before=lambda page: page.route("**/vendor/**", lambda each: each.abort())
    )
    figure = page.locator("figure.curve").first
    expect(figure).to_contain_text("Curves are shown as tables")
    expect(figure.locator("tbody tr").first).to_be_visible()


def test_an_alert_tells_its_evidence_onset_and_runbook(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/alerts")
    card = page.locator(".card.critical")
    expect(card).to_contain_text("model-07 is no longer shown to voters")
    for text in ("Since", "Detected", "How sure", "silent_removal.md"):
        expect(card).to_contain_text(text)
    card.get_by_text("The numbers").click()
    expect(card.locator(".facts")).to_contain_text("Battles it was due in")
    identity = card.get_attribute("data-alert")
    page.goto(f"{page.url.split('#')[0]}#/{removal}/alerts/{identity}")
    expect(page.locator(f'[id="alert-{identity}"]')).to_be_focused()


def test_a_model_has_a_page_with_its_history_and_its_alerts(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/leaderboard")
    page.get_by_role("link", name="model-07", exact=True).last.click()
    expect(page).to_have_title("model-07 · removal · Isonomy")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator(".counters")).to_contain_text("removed")
    expect(page.locator(".card.critical")).to_be_visible()
    expect(page.locator("figure.curve")).to_have_count(3)
    expect(page.locator("figure.curve canvas").last).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Leaderboard")


def test_ratings_filter_and_order_are_a_persons_to_choose(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/leaderboard")
    rows = page.locator("table.board tbody tr:not(.group):visible")
    expect(rows).to_have_count(20)
    first = rows.first.locator("th.model a").inner_text()
    page.get_by_role("radio", name="Elo").check(force=True)
    expect(page).to_have_url(f"{page.url.split('#')[0]}#/{removal}/leaderboard?rating=elo")
    expect(page.locator(".says")).to_contain_text("depends on the order of the votes")
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("th.rank")).to_have_attribute("aria-sort", "descending")
    expect(rows.last.locator("th.model a")).to_have_text(first)
    page.get_by_label("Filter").fill("model-1")
    expect(rows).to_have_count(10)
    expect(page.locator("output")).to_have_text("10 of 20 models")


def test_boards_of_languages_and_categories_are_offered_and_provisional_models_are_marked(
    stack: Stack, visit: Visit
) -> None:
    votes = [
        {
            "id": f"tongues-{number}",
            "arena": "tongues",
            "model_a": "ash",
            "model_b": other,
            "winner": winner,
            "tstamp": 1_700_000_000 + number,
            "language": "German",
            "categories": ["hard_prompts"],
        }
        for number, (other, winner) in enumerate(
            [("birch", "model_a"), ("birch", "model_b"), ("cedar", "model_b"), ("cedar", "model_b")]
        )
    ]
    stack.pipeline.produce(votes)
    stack.pipeline.wait_counted(4, "tongues")
    stack.on_page("tongues")
    page = visit("#/tongues/leaderboard?board=language%3AGerman")
    expect(page.get_by_label("Board")).to_have_value("language:German")
    expect(page.locator("tr.provisional")).to_contain_text("cedar")
    expect(page.locator("tr.provisional .tag")).to_have_attribute(
        "title", "won every vote, so any rating above would fit"
    )
    page.get_by_label("Board").select_option("category:hard_prompts")
    expect(page).to_have_url(f"{page.url.split('#')[0]}#/tongues/leaderboard?board=category%3Ahard_prompts")


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_every_view_without_scrolling_sideways(removal: str, visit: Visit, view: str) -> None:
    page = visit(f"#/{removal}/{view}", size=PHONE)
    expect(page.locator("main table, main .card").first).to_be_visible()
    page.wait_for_load_state("load")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


def test_the_colours_follow_the_system_until_a_person_chooses(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/leaderboard", scheme="dark")
    back = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(back)
    page.get_by_label("Colours").select_option("light")
    light = page.evaluate(back)
    assert dark != light
    page.reload()
    assert page.evaluate(back) == light
