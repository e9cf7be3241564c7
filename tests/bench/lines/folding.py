"""(c) Decoding and folding ledger blocks: votes per second of one core, on boards overall, language, 2 categories."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from tests.bench.place import Place
from tests.bench.report import Bound, Row, number, over_rounds

LINE = "c"
DEADLINE = 120.0
CASES = ((5_000, 1, 2), (500, 1, 2), (5_000, 8, 8), (500, 8, 8))
"""Rows of a block, number of languages, number of categories. A vote is counted on four boards in each case."""


def measure(place: Place, rounds: int, votes: int) -> Iterator[Row]:
    """A row for each size of block and number of boards."""
    for rows, languages, categories in CASES:
        seen = place.run(
            "fold", DEADLINE, rows=rows, languages=languages, categories=categories, votes=votes, rounds=rounds
        )
        by_core = [votes / seconds for seconds in seen["cpu_seconds"]]
        wall = statistics.median(votes / seconds for seconds in seen["seconds"])
        what = f"decode and fold, blocks of {rows:,}, 243 models, {seen['boards']} boards, 4 a vote"
        bound = Bound(least=1_000_000) if rows == 5_000 and languages == 1 else None
        note = f"by the wall clock {number(wall)}; {seen['bytes'] / votes:.0f} bytes a vote"
        yield over_rounds(LINE, what, by_core, "votes/s", bound, note)
