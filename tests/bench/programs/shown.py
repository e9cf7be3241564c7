"""A leaderboard of 243 models as the ratings stage publishes it, before and after 5,000 more votes."""

from __future__ import annotations

import msgspec

from streams.ratings import elo
from streams.ratings.counts import BoardCounts
from streams.ratings.fold import ArenaState
from streams.ratings.publish import make_board
from tests.bench.arenas import MODELS, flat

BATTLES, MORE = 200_000, 5_000


def two_boards() -> tuple[bytes, bytes]:
    """The JSON of both boards."""
    battles = flat(BATTLES + MORE)
    state = ArenaState("text", models={f"model-{number}": number for number in range(MODELS)})
    counts = state.boards["overall"] = BoardCounts()
    texts = []
    for part in (slice(0, BATTLES), slice(BATTLES, None)):
        some = battles.part(part)
        counts.add(some.model_a, some.model_b, some.winner, elo.interpreted)
        texts.append(msgspec.json.encode(make_board(state, "overall")[0]))
    return texts[0], texts[1]
