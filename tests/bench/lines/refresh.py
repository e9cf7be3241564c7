"""(d) A warm refresh at 243 models in milliseconds: components, Newton, interval, ranks; and the whole publishing."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.place import Place
from tests.bench.report import Bound, Row, number

LINE = "d"
DEADLINE = 120.0
PARTS = {
    "plain": "components, Newton, interval, ranks",
    "davidson": "the same and Davidson",
    "published": "5,000 votes counted, all of it and the JSON as published",
}


def measure(place: Place, repeats: int) -> Iterator[Row]:
    """A row for each arena and part."""
    seen = place.run("refresh", DEADLINE, repeats=repeats)
    for arena, figures in seen.items():
        for part, what in PARTS.items():
            each = figures[part]
            bound = Bound(most=8.0) if part == "plain" else None
            note = f"median of {repeats}; best {number(each['best'])}, processor time {number(each['cpu'])}"
            yield Row(LINE, f"warm refresh, {arena} arena: {what}", each["median"], "ms", bound, note)
