"""From data to pixels in their places: boards of 243 and of 1,000 models."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.stack import Stack

TIMES, ROUNDS = 5, 3
TOOK = "performance.getEntriesByName('leaderboard')[0].duration"
WORK = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")


@pytest.mark.parametrize(("models", "limit"), [(243, 200), (1_000, 500)])
def test_a_board_is_drawn_in_time(
    stack: Stack, visit: Visit, told: Callable[[str, str], None], models: int, limit: int
) -> None:
    arena = f"crowd-{models}"
    stack.crowd(arena, [f"lab-{number % 17}/model-{number:04}-instruct" for number in range(models)])
    page = visit(f"#/{arena}/leaderboard")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    best = work = float("inf")
    for _ in range(ROUNDS):
        took, worked = [], []
        for _ in range(TIMES):
            page.reload()
            expect(page.locator("table.board tbody tr")).to_have_count(models)
            took.append(page.evaluate(TOOK))
            metrics = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
            worked.append(1_000 * sum(metrics[name] for name in WORK))
        best, work = min(best, statistics.median(took)), min(work, statistics.median(worked))
        told(f"{models} models, ms", f"median {statistics.median(took):.0f} of {[round(each) for each in took]}")
        told(f"{models} models, ms of a processor, all of the page", f"{statistics.median(worked):.0f}")
        if best < limit:
            break
    # Other work on the machine makes the wall clock longer, and not the time of the processor that the page takes.
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert best < limit or (busy and work < limit)
