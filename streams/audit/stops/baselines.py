"""Baselines, silences and returns of all models, as arrays over the models."""

from __future__ import annotations

import numpy as np

from streams.audit.board.history import Mask, Matrix
from streams.audit.stops.evidence import BACK, STOPPED
from streams.audit.stops.noise import feigned
from streams.audit.stops.pauses import Pause

MEMORY = 0.8
"""Weight of the older baseline after a full span: the last five spans count most."""

FULL_SPAN = 30.0
"""Expected votes of a full span; a smaller span moves the baseline by less."""


class Tally:
    """Arrays over `count` models.

    `won / passed` is the baseline, votes per unit of the clock. `silent_*` are sums since the first span that is
    evidence for a stop, and `log` is the evidence of each bet on it; `back_*` and `back` are the same for a return.
    `first_*` sum consecutive spans in which a model without a baseline grew; `grown` and `spans` sum all spans since
    the baseline began.
    """

    def __init__(self, count: int) -> None:
        self.won, self.passed = np.zeros(count), np.zeros(count)
        self.seen = np.zeros(count, dtype=np.int64)
        self.first_won, self.first_passed = np.zeros(count), np.zeros(count)
        self.first_spans = np.zeros(count, dtype=np.int64)
        self.grown, self.spans = np.zeros(count), np.zeros(count, dtype=np.int64)
        self.log = np.zeros((count, len(STOPPED)))
        self.silent_won, self.silent_passed, self.silent_expected = np.zeros(count), np.zeros(count), np.zeros(count)
        self.silent_since = np.full(count, -1, dtype=np.int64)
        self.silent_spans = np.zeros(count, dtype=np.int64)
        self.fell = np.ones(count, dtype=bool)
        self.back = np.zeros((count, len(BACK)))
        self.back_won, self.back_passed, self.back_expected = np.zeros(count), np.zeros(count), np.zeros(count)
        self.back_since = np.full(count, -1, dtype=np.int64)
        self.open: dict[int, Pause] = {}

    @property
    def baseline(self) -> Matrix:
        """Votes per unit of the clock: float64[M], 0 without a baseline."""
        based = self.passed > 0
        return np.asarray(np.where(based, np.maximum(self.won, 0.0) / np.where(based, self.passed, 1.0), 0.0))

    def begin(self, model: int, net: float, passed: float, floor: float, scale: float) -> None:
        """Start a baseline: a new model needs one span above `floor`, a model that stood still two in a row.

        Growth that corrections of this scale could feign gives no baseline: a model that never ran cannot stop.
        """
        new = self.seen[model] == 0
        self.seen[model] += 1
        if net < floor:
            self.first_won[model] = self.first_passed[model] = self.first_spans[model] = 0
            return
        self.first_won[model] += net
        self.first_passed[model] += passed
        self.first_spans[model] += 1
        spans = self.first_spans[model]
        if (new or spans > 1) and self.first_won[model] >= feigned(spans, scale):
            self.won[model], self.passed[model] = self.first_won[model], self.first_passed[model]
            self.grown[model], self.spans[model] = self.first_won[model], spans

    def ran(self, scale: Matrix) -> Mask:
        """bool[M]: models that grew by more than corrections of the current `scale` could feign."""
        return np.asarray((self.passed > 0) & (self.grown >= feigned(self.spans, scale)))

    def forget(self, model: int) -> None:
        """Remove the baseline of a model, because corrections explain its growth."""
        self.won[model] = self.passed[model] = self.grown[model] = self.first_won[model] = 0.0
        self.first_passed[model] = self.first_spans[model] = self.spans[model] = 0
        self.forget_silence(model)

    def learn(self, model: int, won: float, passed: float, expected: float) -> None:
        """Update the baseline with a span of a running model, and with the silence before it, which was not a stop."""
        weight = min(1.0, (expected + self.silent_expected[model]) / FULL_SPAN)
        kept = 1.0 - (1.0 - MEMORY) * weight
        self.won[model] = kept * self.won[model] + won + self.silent_won[model]
        self.passed[model] = kept * self.passed[model] + passed + self.silent_passed[model]
        self.grown[model] += won + self.silent_won[model]
        self.spans[model] += 1 + self.silent_spans[model]
        self.forget_silence(model)

    def hush(self, model: int, begin: int, won: float, passed: float, expected: float, fell: bool) -> None:
        """Add a span that is evidence for a stop."""
        if self.silent_since[model] < 0:
            self.silent_since[model] = begin
        self.silent_won[model] += won
        self.silent_passed[model] += passed
        self.silent_expected[model] += expected
        self.silent_spans[model] += 1
        self.fell[model] &= fell

    def stir(self, model: int, begin: int, won: float, passed: float, expected: float) -> None:
        """Add a span that is evidence for a return."""
        if self.back_since[model] < 0:
            self.back_since[model] = begin
        self.back_won[model] += won
        self.back_passed[model] += passed
        self.back_expected[model] += expected

    def resume(self, model: int) -> None:
        """Mark a stopped model as running again; its baseline is mostly what it gains now."""
        old = 1.0 - MEMORY
        self.won[model] = old * self.won[model] + self.back_won[model]
        self.passed[model] = old * self.passed[model] + self.back_passed[model]
        del self.open[model]
        self.forget_back(model)
        self.forget_silence(model)

    def forget_silence(self, model: int) -> None:
        """Reset the silence of a model, because it gained."""
        for each in (self.silent_won, self.silent_passed, self.silent_expected):
            each[model] = 0.0
        self.silent_since[model] = -1
        self.silent_spans[model] = 0
        self.fell[model] = True
        self.log[model] = 0.0

    def forget_back(self, model: int) -> None:
        """Reset the return of a model, because it did not gain or has returned."""
        self.back_won[model] = self.back_passed[model] = self.back_expected[model] = 0.0
        self.back_since[model] = -1
        self.back[model] = 0.0
