"""Votes as blocks, and a fold's state in a form that `==` compares."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from streams.contracts.model import Model
from streams.contracts.vote import Vote
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import rows_of
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.history import RatingsHistory
from streams.ratings.snapshot import encode_history
from tests.support.boards import shown

LIMITS = ArenaLimits()


def vote(model_a: str, model_b: str, winner: str = "model_a", **more: Any) -> Vote:
    """A decoded vote; its id does not matter here."""
    fields = {"id": "v", "model_a": model_a, "model_b": model_b, "winner": winner, "tstamp": 5.0}
    return msgspec.convert(fields | more, Vote)


def block(votes: Sequence[Vote], *, first: int = 0, partition: int = 0, recorded: int = 1_000) -> Block:
    """A block of votes of one partition, at offsets from `first` on."""
    n = len(votes)
    offset = np.arange(first, first + n, dtype=np.int64)
    rows = rows_of(votes, np.full(n, partition, np.int32), offset, np.full(n, recorded, np.int64))
    return Block("text", rows, {partition: first + n - 1})


def notice(name: str, offset: int, **changes: Any) -> Notice:
    """A declaration of a model; `model=None` takes it off the registry."""
    fields = {"arena": "text", "model": name, "provider": "org", "license": "open_weight", "visibility": "public"}
    declared = msgspec.convert(fields | {"status": "active", "weight": 1, "tstamp": 5} | changes, Model)
    return Notice("text", name, declared, 0, offset, 1_000)


def folded(records: Iterable[Block | Notice], limits: ArenaLimits = LIMITS) -> ArenaState:
    """The state after the records, the ledger's first ones."""
    state = ArenaState("text", history=RatingsHistory())
    for record in records:
        fold(state, record, limits, interpreted)
        state.position += 1
    return state


def counts(state: ArenaState) -> Counter[tuple[str, str, str, int]]:
    """Battles by board, model_a, model_b and winner's code, by name."""
    names = list(state.models)
    found: Counter[tuple[str, str, str, int]] = Counter()
    for board_name, board in state.boards.items():
        dense = shown(board)
        for winner, a, b in np.argwhere(dense).tolist():
            pair = names[board.members[a]], names[board.members[b]]
            found[(board_name, *pair, winner)] += int(dense[winner, a, b])
    return found


def elo(state: ArenaState) -> dict[str, dict[str, bytes]]:
    """Elo by board and model name, bit for bit."""
    names = list(state.models)
    return {
        name: {names[member]: points.tobytes() for member, points in zip(board.members, board.elo, strict=True)}
        for name, board in state.boards.items()
    }


def everything(state: ArenaState) -> dict[str, Any]:
    """All of a state, bit for bit and in order."""
    return {
        "arena": state.arena,
        "models": list(state.models.items()),
        "boards": [
            (
                name,
                board.members,
                *(each.dtype.str for each in (shown(board), board.elo)),
                shown(board).tobytes(),
                board.elo.tobytes(),
            )
            for name, board in state.boards.items()
        ],
        "watermark": state.watermark,
        "registry": state.registry,
        "position": state.position,
        "recorded": state.recorded,
        "tstamp": np.float64(state.tstamp).tobytes(),
        "unrated": state.unrated,
        "strangers": sorted(state.strangers),
        "seen": (sorted(state.seen.models), sorted(state.seen.boards)),
        "history": state.history and (state.history.began, encode_history(state)),
    }
