"""Coverage where votes are few, by simulation: `PYTHONPATH=. python tests/statistics/ratings/thin.py`.

Without arguments the full grid runs, some minutes: newcomers of 1 to 100 votes in settled fields of 20 and 129 models,
with 0, 30 and 60 % of ties, truly 0, 174 and 350 points beside the opponents' mean; all ranked models; and differences
to an anchor with 1 % of the votes.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from streams.ratings.leaderboard import CENTRE, solve
from streams.ratings.pairs import POINTS_PER_LOGIT

VOTES = (1, 2, 3, 5, 10, 30, 100)
TIES = (0.0, 0.3, 0.6)
GAPS = (0.0, 174.0, 350.0)
FIELDS = (20, 129)
LEAST, CROWD = 30, 100
"""Votes that a rank needs, and newcomers below it on one board."""


def draw(
    random: np.random.Generator, theta: NDArray[np.float64], played: NDArray[np.float64], ties: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Wins and ties of every pair, `played` votes of each i < j.

    The share of ties is `ties` between equals and falls with the gap, so that P(win) + ½P(tie) is Bradley and Terry's
    p.
    """
    p = 1 / (1 + np.exp(theta - theta[:, None]))
    tie = 2 * ties * np.minimum(p, 1 - p)
    drawn = random.binomial(played, tie)
    won = random.binomial(played - drawn, np.clip((p - tie / 2) / (1 - tie), 0, 1))
    return won + (played - drawn - won).T, drawn


def field(random: np.random.Generator, models: int, per_model: int):
    """True logits of the models, and the votes of every pair i < j."""
    theta = random.normal(scale=0.6, size=models)
    return theta - theta.mean(), np.triu(np.full((models, models), -(-per_model // (models - 1))), 1)


def newcomers(
    random: np.random.Generator, models: int, ties: float, gap: float, votes: int, runs: int
) -> NDArray[np.float64]:
    """bool[runs] whether a newcomer's interval holds its true rating, `gap` points from the opponents' mean.

    Many newcomers stand on one board: those that are not ranked move nobody, and the few that are meet the field alone.
    """
    crowd = CROWD if votes < LEAST else max(1, models // 10)
    covered = []
    while len(covered) < runs:
        theta, played = field(random, models, 1000)
        every = np.pad(played, (0, crowd))
        for new in range(models, models + crowd):
            every[:models, new] = np.bincount(random.integers(0, models, votes), minlength=models)
        truth = np.append(theta, np.full(crowd, gap / POINTS_PER_LOGIT))
        wins, drawn = draw(random, truth, every, ties)
        board = solve(wins, drawn, np.zeros_like(wins), least=LEAST)
        # The gauge is the mean of the ranked models, of which the newcomers may be.
        rating = CENTRE + POINTS_PER_LOGIT * (truth - truth[~board.provisional].mean())
        covered += ((board.lower <= rating) & (rating <= board.upper))[models:].tolist()
    return np.array(covered[:runs])


def ranked(
    random: np.random.Generator, models: int, ties: float, per_model: int, runs: int, anchor: bool = False
) -> NDArray[np.float64]:
    """float[runs], the share of ranked models covered; with an anchor of 1 % of the votes, of differences to it."""
    theta, played = field(random, models, per_model)
    none = np.zeros((models, models), dtype=np.int64)
    if anchor:
        share = 0.01 * played[1:, 1:].sum() / 0.98
        played[0] = np.append(0, random.multinomial(round(share), np.full(models - 1, 1 / (models - 1))))
    shares = np.empty(runs)
    for run in range(runs):
        board = solve(*draw(random, theta, played, ties), none, anchors=(0,) if anchor else ())
        kept = np.flatnonzero(~board.provisional)
        truth = CENTRE + POINTS_PER_LOGIT * (theta - (theta[0] if anchor else theta[kept].mean()))
        kept = kept[kept > 0] if anchor else kept
        assert board.anchored is anchor
        shares[run] = np.mean((board.lower <= truth)[kept] & (truth <= board.upper)[kept])
    return shares


def main() -> None:
    """Print the full grid as a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
    random = np.random.default_rng(20261130)
    print(f"{runs} runs a cell; Monte-Carlo error of 95 %: {100 * np.sqrt(0.95 * 0.05 / runs):.2f} points")
    print("| field | ties | gap | " + " | ".join(map(str, VOTES)) + " |")
    for models in FIELDS:
        for ties in TIES:
            for gap in GAPS:
                cells = [100 * newcomers(random, models, ties, gap, votes, runs).mean() for votes in VOTES]
                row = [models, f"{ties:.0%}", f"{gap:.0f}", *(f"{cell:.1f}" for cell in cells)]
                print("| " + " | ".join(map(str, row)) + " |", flush=True)
    for models in FIELDS:
        for ties in TIES:
            for votes in (12, 20, 40, 200, 1000):
                _say(
                    f"ranked, {models} models of {votes} votes, ties {ties:.0%}",
                    ranked(random, models, ties, votes, runs // 4),
                )
            _say(
                f"anchored, {models} models, ties {ties:.0%}",
                ranked(random, models, ties, 1000, runs // 2, anchor=True),
            )


def _say(what: str, shares: NDArray[np.float64]) -> None:
    error = shares.std(ddof=1) / np.sqrt(shares.size)
    print(f"{what}: {100 * shares.mean():.2f} ± {100 * error:.2f}", flush=True)


if __name__ == "__main__":
    main()
