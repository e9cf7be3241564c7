"""The example of history, made by the code that it describes: two days of one arena's ratings."""

from __future__ import annotations

import base64
from functools import cache

import msgspec
import numpy as np
from examples import ARENA, BEGAN

from streams.contracts.history import DAY
from streams.contracts.history_wire import decode_ratings
from streams.contracts.vote import Vote
from streams.ledger.codec import Block
from streams.ledger.rows import rows_of
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.history import RatingsHistory
from streams.ratings.snapshot import encode_history

_WIDTH = 100
_BATTLES = (
    # day, model_a, model_b, winner
    *[(0, "ash-2", "birch", "model_a")] * 6,
    *[(0, "birch", "ash-2", "model_a")] * 3,
    *[(1, "birch", "cedar-1", "model_a")] * 2,
    (2, "ash-2", "cedar-1", "tie"),
)


def tier_literal() -> str:
    """Show the tier in base64, as the lines of a Python literal in parentheses."""
    text = base64.b64encode(_packed()).decode()
    return "\n".join(f'    "{text[at : at + _WIDTH]}"' for at in range(0, len(text), _WIDTH))


def tier_lines() -> str:
    """Show what the worked decode must print, read by the project's own decoder."""
    tier = decode_ratings(_packed())
    rating, half_width, battles = (column.array() for column in (tier.rating, tier.half_width, tier.battles))
    lines, at = [], 0
    for t, known in zip(tier.t, tier.known, strict=True):
        for number, model in enumerate(tier.models[:known]):
            place = at + number
            interval = "provisional" if np.isnan(half_width[place]) else f"±{half_width[place]:.0f}"
            lines.append(f"{t} {model} {rating[place]:.0f} {interval} {battles[place]} battles")
        at += known
    return "\n".join(["```text", *lines, "```"])


@cache
def _packed() -> bytes:
    votes = [
        msgspec.convert({"id": f"v{n}", "model_a": a, "model_b": b, "winner": winner, "tstamp": _at(day, n)}, Vote)
        for n, (day, a, b, winner) in enumerate(_BATTLES)
    ]
    n = len(votes)
    arrived = np.array([int(1000 * vote.tstamp) + 250 for vote in votes], np.int64)
    rows = rows_of(votes, np.zeros(n, np.int32), np.arange(n, dtype=np.int64), arrived)
    state = ArenaState(ARENA, history=RatingsHistory())
    fold(state, Block(ARENA, rows, {0: n - 1}), ArenaLimits(), elo.interpreted)
    return encode_history(state)[DAY.name]


def _at(day: int, number: int) -> float:
    return float(BEGAN + day * DAY.seconds + 60 * number)
