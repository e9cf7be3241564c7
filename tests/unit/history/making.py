"""Votes with a clock and an arrival each, as blocks cut wherever one likes."""

import itertools

import msgspec
import numpy as np

from streams.contracts.vote import Vote
from streams.ledger.codec import Block
from streams.ledger.rows import rows_of
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.history import RatingsHistory

LIMITS = ArenaLimits()
MONDAY = 1_767_571_200
"""A midnight."""
DAY_SECONDS = 86_400


def battle(a: str, b: str, winner: str, tstamp: float, recorded: int) -> tuple[Vote, int]:
    """A vote, and when it arrived, epoch milliseconds."""
    return msgspec.convert({"id": "v", "model_a": a, "model_b": b, "winner": winner, "tstamp": tstamp}, Vote), recorded


def blocks(battles: list[tuple[Vote, int]], cuts: range | tuple[()] = ()) -> list[Block]:
    """Blocks of battles, cut before the given ones."""
    made = []
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(battles)}), len(battles)]
    for begin, end in itertools.pairwise(places):
        part = battles[begin:end]
        if part:
            n = len(part)
            offset = np.arange(begin, end, dtype=np.int64)
            recorded = np.array([each for _, each in part], np.int64)
            rows = rows_of([vote for vote, _ in part], np.zeros(n, np.int32), offset, recorded)
            made.append(Block("text", rows, {0: end - 1}))
    return made


def start() -> ArenaState:
    return ArenaState("text", history=RatingsHistory())


def play(state: ArenaState, records: list[Block], now: float = 0.0) -> ArenaState:
    for record in records:
        fold(state, record, LIMITS, interpreted, now)
        state.position += 1
    return state


def live(
    days: float, a_day: int, models: int = 6, seed: int = 3, begin: int = MONDAY + 7, arrives: float = 0.5
) -> list[tuple[Vote, int]]:
    """Battles as they come in: evenly, each arriving half a second after it was fought."""
    random, n = np.random.default_rng(seed), int(days * a_day)
    first = random.integers(0, models, n)
    second = (first + random.integers(1, models, n)) % models
    won = random.random(n) < 1 / (1 + 1.5 ** (first - second))
    clock = begin + np.arange(n) * DAY_SECONDS / a_day
    return [
        battle(f"m{a}", f"m{b}", "model_a" if win else "model_b", at, int((at + arrives) * 1000))
        for a, b, win, at in zip(first.tolist(), second.tolist(), won.tolist(), clock.tolist(), strict=True)
    ]
