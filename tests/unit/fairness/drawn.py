"""Votes on known draws: several votes a draw, late votes, ids of draws and voters, on top of the synthetic arena."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streams.ledger.codec import Block
from streams.ledger.rows import Rows
from tests.unit.fairness.arena import SECONDS, Ledger, draw_pairs, make_rows

By = Literal["battle", "voter", "neither"]


def codes(values: NDArray[np.int64], name: str) -> tuple[list[str], NDArray[np.int32]]:
    """A dictionary of the values, and codes into it; word 0 is the absent one."""
    used, at = np.unique(values, return_inverse=True)
    return ["", *(f"{name}-{value}" for value in used.tolist())], (at + 1).astype(np.int32)


class Draws:
    """Draws of an arena and the votes on them, which come late and out of order."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        votes: tuple[int, ...] = (1,),
        lag: float = 0.0,
        by: By = "battle",
        drawn_at: bool = False,
        apart: float = 60.0,
        seconds: float = SECONDS,
    ) -> None:
        """Each draw has one of the numbers of `votes`; `lag` is the median of a lognormal one of σ 1, in seconds."""
        self.ledger, self.votes, self.lag, self.by, self.drawn_at = ledger, votes, lag, by, drawn_at
        self.apart, self.seconds = apart, seconds
        self.drawn = 0
        self.waiting: NDArray[np.float64] = np.zeros((0, 5))
        """time of the vote, a, b, draw, time of the draw"""

    def play(self, n: int) -> None:
        """Draw n pairs by the ledger's weights, and send the votes that are due meanwhile."""
        ledger, random = self.ledger, self.ledger.random
        pairs = draw_pairs(random, ledger.weights, n)
        drawn = ledger.clock + self.seconds * np.arange(1, n + 1)
        number = random.choice(self.votes, n)
        of = np.repeat(np.arange(n), number)
        again = np.append(True, of[1:] == of[:-1])
        again[0] = False
        late = np.zeros(n) if not self.lag else self.lag * np.exp(random.standard_normal(n))
        times = drawn[of] + late[of] + np.where(again, random.exponential(self.apart, of.size), 0.0)
        rows = np.column_stack([times, pairs[of], of + self.drawn, drawn[of]])
        self.drawn += n
        self.waiting = np.concatenate([self.waiting, rows])
        ledger.clock = float(drawn[-1])
        self.send(ledger.clock)

    def send(self, until: float = np.inf) -> None:
        """Send the votes that are due."""
        ledger = self.ledger
        due = self.waiting[:, 0] <= until
        rows, self.waiting = self.waiting[due], self.waiting[~due]
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        for at in range(0, len(rows), ledger.block):
            part = rows[at : at + ledger.block]
            made = self.rows(part, ledger.rows)
            ledger.rows += len(part)
            ledger.send(Block(ledger.arena, made, {0: ledger.rows - 1}))

    def rows(self, part: NDArray[np.float64], offset: int) -> Rows:
        """Lay out votes as rows."""
        winner = self.ledger.random.integers(0, 3, len(part))
        made = make_rows(self.ledger.names, part[:, 1:3], winner, part[:, 0], offset)
        draw = part[:, 3].astype(np.int64)
        if self.by == "battle":
            words, column = codes(draw, "battle")
            made = replace(made, battles=words, battle=column)
        elif self.by == "voter":  # a voter has 20 draws, 200 voters at a time
            words, column = codes(draw % 200 + 200 * (draw // 4_000), "voter")
            made = replace(made, voters=words, voter=column)
        return replace(made, drawn_at=part[:, 4]) if self.drawn_at else made
