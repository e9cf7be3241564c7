"""Rows and blocks for the ledger's tests."""

from typing import Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from streams.contracts.vote import STYLE_FIELDS, WINNER_NAMES, Vote
from streams.ledger.codec import Block
from streams.ledger.rows import Rows, rows_of

_styles = st.fixed_dictionaries({name: st.integers(0, 2**31 - 1) for name in STYLE_FIELDS})
_words = st.sampled_from(["", "en", "fr", "é", "𝕏" * 64])
votes = st.fixed_dictionaries(
    {
        "id": st.just("v"),
        "model_a": st.sampled_from(["x", "y", "z", "é"]),
        "model_b": st.sampled_from(["p", "q", "𝕏" * 128]),
        "winner": st.sampled_from(WINNER_NAMES),
        "tstamp": st.floats(0, 1e300),
    },
    optional={
        "voter": _words,
        "language": _words,
        "categories": st.lists(st.sampled_from(["", "code", "math"]), max_size=4),
        "prompt_hash": _words,
        "battle": _words,
        "p_pair": st.floats(0, 1, exclude_min=True),
        "drawn_at": st.just(0) | st.floats(0, 1e300),
        "style": _styles,
    },
).map(lambda fields: msgspec.convert(fields, Vote))


@st.composite
def row_sets(draw, most: int = 12) -> Rows:
    """Rows as a fetch makes them: some partitions, offsets ascending in each."""
    chosen = draw(st.lists(votes, max_size=most))
    n = len(chosen)
    partition = sorted(draw(st.lists(st.sampled_from([0, 1, 65_535]), min_size=n, max_size=n)))
    offset = np.cumsum(draw(st.lists(st.sampled_from([1, 2, 2**40]), min_size=n, max_size=n)) or [0])[:n]
    recorded = draw(st.lists(st.sampled_from([-1, 0, 2**41]), min_size=n, max_size=n))
    return rows_of(chosen, np.array(partition, np.int32), offset.astype(np.int64), np.array(recorded, np.int64))


def whole(rows: Rows, arena: str = "text") -> Block:
    """A block of the rows that accounts for them and a little more."""
    through = {int(p): int(rows.offset[rows.partition == p].max()) + 1 for p in np.unique(rows.partition)}
    return Block(arena, rows, through)


def spelled(rows: Rows) -> list[tuple[Any, ...]]:
    """What the rows say, in words and not in codes."""

    def word(codes: Any, words: list[Any], row: int) -> Any:
        return words[0] if codes is None else words[codes[row]]

    return [
        (
            rows.models[rows.model_a[row]],
            rows.models[rows.model_b[row]],
            int(rows.winner[row]),
            float(rows.tstamp[row]),
            int(rows.partition[row]),
            int(rows.offset[row]),
            int(rows.recorded[row]),
            word(rows.language, rows.languages, row),
            word(rows.categories, rows.category_sets, row),
            word(rows.voter, rows.voters, row),
            word(rows.prompt, rows.prompts, row),
            word(rows.battle, rows.battles, row),
            None if rows.p_pair is None or np.isnan(rows.p_pair[row]) else float(rows.p_pair[row]),
            None if rows.drawn_at is None or np.isnan(rows.drawn_at[row]) else float(rows.drawn_at[row]),
            None if rows.style is None or rows.style[row][0] < 0 else tuple(rows.style[row].tolist()),
        )
        for row in range(len(rows))
    ]


def some_rows(count: int = 3) -> Rows:
    """A number of rows of partition 2 with every optional column filled."""
    style = dict.fromkeys(STYLE_FIELDS, 4)
    chosen = [
        msgspec.convert(
            {"id": "v", "model_a": "x", "model_b": f"m{number % 7}", "winner": "tie", "tstamp": 5.0, "p_pair": 0.25}
            | {"language": "en", "categories": ["code"], "voter": f"u{number}", "prompt_hash": f"h{number}"}
            | {"battle": f"b{number // 2}", "drawn_at": 4.5, "style": style},
            Vote,
        )
        for number in range(count)
    ]
    offset = np.arange(10, 10 + count, dtype=np.int64)
    return rows_of(chosen, np.full(count, 2, np.int32), offset, np.full(count, 1_000, np.int64))
