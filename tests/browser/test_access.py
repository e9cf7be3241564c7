"""By keyboard alone, and by the rules of accessibility that a machine can check."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, Visit, places

VIEWS = ("leaderboard", "fairness", "alerts", "model/model-07")
FOCUS = """() => {
  const node = document.activeElement;
  const drawn = (each) => each && getComputedStyle(each).outlineStyle !== "none";
  const ring = drawn(node) || drawn(node.nextElementSibling); // the label of a hidden radio button shows it
  return { ring, text: node.textContent, id: node.id, tag: node.tagName };
}"""


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until an element has the focus; every one on the way shows that it has it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUS)
        assert found["ring"] or found["tag"] == "BODY", f"no focus ring: {found}"
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached within {most} tabs")


def test_a_keyboard_reaches_and_works_everything(removal: str, visit: Visit) -> None:
    page = visit(f"#/{removal}/leaderboard")
    expect(page.locator("table.board")).to_be_visible()
    heading = page.get_by_role("heading", level=1)

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    tab_to(page, "#board")
    tab_to(page, 'input[value="bt"]')
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Davidson")).to_be_checked()
    tab_to(page, "#filter")
    page.keyboard.type("model-07")
    tab_to(page, "th.votes button")
    page.keyboard.press("Enter")
    expect(page.locator("th.votes")).to_have_attribute("aria-sort", "descending")
    page.keyboard.press("Space")
    expect(page.locator("th.votes")).to_have_attribute("aria-sort", "ascending")
    tab_to(page, "th.model a")
    page.keyboard.press("Enter")
    expect(heading).to_have_text("model-07")
    expect(heading).to_be_focused()
    page.go_back()  # the key for it belongs to the browser, which shows no window here
    expect(heading).to_have_text("Leaderboard")

    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    page.locator("#skip").focus()
    tab_to(page, 'nav a[href$="/fairness"]')
    page.keyboard.press("Enter")
    expect(heading).to_have_text("Fairness")
    expect(page.locator("table.shares tbody tr")).to_have_count(20)
    tab_to(page, "figure summary")
    page.keyboard.press("Enter")
    expect(page.locator("figure details").first).to_have_attribute("open", "")
    tab_to(page, "th.off button")
    page.keyboard.press("Enter")
    expect(page.locator("th.off")).to_have_attribute("aria-sort", "ascending")

    page.locator("#skip").focus()
    tab_to(page, 'nav a[href$="/alerts"]')
    page.keyboard.press("Enter")
    expect(heading).to_have_text("Alerts")
    expect(page.locator(".card").first).to_be_visible()
    tab_to(page, ".card summary")
    page.keyboard.press("Enter")
    expect(page.locator(".card .facts").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(removal: str, visit: Visit, scheme: str) -> None:
    axe = next(iter(places().glob("axe-core-*")), None)
    if axe is None:
        pytest.skip("axe-core is not there, and npm could not fetch it: deploy/ensure-page")
    found = []
    for size in (WIDE, PHONE):
        page = visit(f"#/{removal}/leaderboard", size=size, scheme=scheme)
        for view in VIEWS:
            page.goto(f"{page.url.split('#')[0]}#/{removal}/{view}")
            expect(page.locator("main table tbody tr, main .card").first).to_be_visible()
            for details in page.locator("main details").all():
                details.evaluate("node => (node.open = true)")
            page.evaluate(axe.read_text())
            result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            found += [
                f"{view} {size[0]} {each['impact']}: {each['id']}: {node['target']} {node['failureSummary']}"
                for each in result["violations"]
                if each["impact"] in ("serious", "critical")
                for node in each["nodes"]
            ]
    assert not found, "\n".join(found)
