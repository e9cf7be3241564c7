"""Synthetic boards: models with shares, snapshots on chosen days, and whatever is done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.audit.assemble import audit_snapshots
from streams.audit.board.history import Row
from streams.audit.report.document import Report
from streams.contracts.alert import Kind

DAY = 86_400.0
START = 1_718_755_200.0  # 2024-06-19
LICENSES = ("Proprietary", "Apache 2.0", "Llama 3 Community")


@dataclass(frozen=True)
class Board:
    """Totals int64[M, T] at days[T]; -1 where a model is not listed."""

    names: list[list[str]]  # of each model at each snapshot
    providers: list[str]
    licenses: list[str]
    days: NDArray[np.float64]
    totals: NDArray[np.int64]

    def rows(self) -> list[Row]:
        return [
            Row(START + day * DAY, self.names[model][at], self.providers[model], self.licenses[model], float(total))
            for at, day in enumerate(self.days)
            for model, total in enumerate(self.totals[:, at])
            if total >= 0
        ]

    def date(self, at: int) -> str:
        return str(np.datetime64(int(START + self.days[at] * DAY), "s"))[:10]

    def changed(self, totals: NDArray[np.int64]) -> Board:
        return replace(self, totals=totals)


def draw(
    seed: int = 0,
    models: int = 20,
    days: Sequence[float] | NDArray[Any] = tuple(range(0, 210, 7)),
    slots_a_day: float = 4_000.0,
    shares: Sequence[float] | NDArray[np.float64] | None = None,
    multiply: Mapping[int, Callable[[float], float]] | None = None,
    spread: float = 0.0,
    carried: int = 5_000,
    pace: Callable[[int], float] | None = None,
    named: str = "model",
) -> Board:
    """Draw a board.

    `multiply[model]` is a function of the day's number that scales a model's weight (0 after its removal); `spread` is
    the variance of the weights' noise per interval; `pace` scales the traffic of each interval.
    """
    random = np.random.default_rng(seed)
    day = np.asarray(days, dtype=float)
    weights = np.ones(models) if shares is None else np.asarray(shares, dtype=float)
    totals = np.zeros((models, len(day)), dtype=np.int64)
    totals[:, 0] = random.integers(carried // 2, 2 * carried, models)
    for at in range(1, len(day)):
        fine = np.linspace(day[at - 1], day[at], 9)[:-1]
        share = np.array(
            [
                weights[each]
                * (1.0 if not multiply or each not in multiply else np.mean([multiply[each](d) for d in fine]))
                for each in range(models)
            ]
        )
        if spread:
            share = share * random.gamma(1 / spread, spread, models)
        traffic = slots_a_day * (day[at] - day[at - 1]) * (1.0 if pace is None else pace(at))
        mean = traffic * share / share.sum() if share.sum() > 0 else np.zeros(models)
        totals[:, at] = totals[:, at - 1] + random.poisson(mean)
    names = [[f"{named}-{chr(97 + each % 26)}{each}"] * len(day) for each in range(models)]
    providers = [f"firm {each % 7}" for each in range(models)]
    return Board(names, providers, [LICENSES[each % 3] for each in range(models)], day, totals)


def audit(board: Board | Sequence[Row], **options: Any) -> Report:
    rows = board.rows() if isinstance(board, Board) else list(board)
    return audit_snapshots(rows, source="test", **options)


def removed(report: Report) -> dict[str, tuple[str | None, str | None]]:
    """Names that the report calls removed, with the dates since when and by when."""
    return {
        line.model: (line.since, line.found)
        for alert in report.alerts
        if alert.kind in (Kind.SILENT_REMOVAL, Kind.UNANNOUNCED_RETIREMENT)
        for line in report.models
        if line.model == alert.subject.model
    }


def kinds(report: Report) -> set[str]:
    return {remark.kind.value for remark in report.remarks}


def until(day: float, after: float = 0.0) -> Callable[[float], float]:
    """A multiplier: 1 before the day, `after` from then on."""
    return lambda now: 1.0 if now < day else after
