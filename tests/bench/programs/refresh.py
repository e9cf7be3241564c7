"""A warm refresh of one board: milliseconds of the solution, of Davidson, and of the whole publishing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec

from streams.ratings import elo
from streams.ratings.counts import BoardCounts
from streams.ratings.fold import ArenaState
from streams.ratings.leaderboard import solve
from streams.ratings.publish import make_board
from tests.bench.arenas import ARENAS, MODELS, Battles
from tests.bench.programs.talk import answer, given, like_a_worker

NEW_VOTES = 5_000
"""New votes between two refreshes: those of a quarter of a second at 20,000 votes per second."""


def timed(repeats: int, refresh: Callable[[int], Any]) -> dict[str, float]:
    """Median and best milliseconds, and median processor milliseconds, of `refresh`, called with its number."""
    wall, cpu = [], []
    for number in range(repeats + 10):
        began, spent = time.perf_counter(), time.process_time()
        refresh(number)
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.process_time() - spent))
    wall, cpu = wall[10:], cpu[10:]
    return {"median": statistics.median(wall), "best": min(wall), "cpu": statistics.median(cpu)}


def solving(battles: Battles, repeats: int, davidson: bool) -> dict[str, float]:
    """Components, Newton from the solution before `NEW_VOTES`, interval and ranks, from given counts."""
    before = battles.part(slice(0, len(battles) - NEW_VOTES))
    both = [before.counts(), battles.counts()]
    start = [solve(*counts, davidson=False).theta for counts in both]
    return timed(repeats, lambda n: solve(*both[n % 2], start=start[1 - n % 2], davidson=davidson))


def publishing(battles: Battles, repeats: int) -> dict[str, float]:
    """From the fold's counts to the bytes for Redis, each time with `NEW_VOTES` more."""
    play, encode = elo.compiled(), msgspec.json.Encoder().encode
    state = ArenaState("text", models={f"model-{number}": number for number in range(MODELS)})
    board = state.boards["overall"] = BoardCounts()
    board.add(battles.model_a, battles.model_b, battles.winner, play)
    starts: dict[str, float] = make_board(state, "overall")[1]

    def refresh(_: int) -> None:
        nonlocal starts
        made, starts = make_board(state, "overall", start=starts)
        encode(made)

    def with_news(number: int) -> None:
        news = battles.part(slice(NEW_VOTES * (number % 100), NEW_VOTES * (number % 100 + 1)))
        board.add(news.model_a, news.model_b, news.winner, play)
        refresh(number)

    return timed(repeats, with_news)


def main() -> None:
    """Measure both arenas."""
    parameters = given()
    like_a_worker()
    repeats = parameters["repeats"]
    figures = {}
    for name, make in ARENAS.items():
        battles = make()
        figures[name] = {
            "plain": solving(battles, repeats, davidson=False),
            "davidson": solving(battles, repeats, davidson=True),
            "published": publishing(battles, repeats),
        }
    answer(**figures)


if __name__ == "__main__":
    main()
