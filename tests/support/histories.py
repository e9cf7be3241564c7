"""Realistic published histories: seeded healthy boards with everything that looks like a removal but is none.

Each board has scores, ranks and totals. Its file may show only the top rows, to a varying depth; totals are corrected;
a season may reset all totals; models are off the board for a while, or are replaced by their next build and later
listed among past models; names change; the source may start to list many old models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.audit.board.history import Row

DAY = 86_400.0
START = 1_735_689_600.0  # 2025-01-01
LICENSES = ("Proprietary", "Apache 2.0", "Llama 3 Community")
SORTS = ("plain", "cut", "corrected", "season", "away", "relisted", "renamed", "switch")


@dataclass(frozen=True)
class Planted:
    """One true removal: the name, the last snapshot with new votes, and whether the model leaves the board."""

    model: str
    last: int
    leaves: bool


def history(seed: int, sort: str, planted: bool = False) -> tuple[list[Row], Planted | None, list[float]]:
    """Draw a history of 40 snapshots; with `planted`, one running model within the depth is removed.

    Returns
    -------
    Rows, what was removed, and the dates.
    """
    random = np.random.default_rng([seed, SORTS.index(sort)])
    models, snapshots = int(random.integers(24, 60)), 40
    step = float(random.choice([1, 1, 3, 7]))
    dates = START + DAY * step * np.arange(snapshots)
    spread = float(random.choice([0.02, 0.05, 0.1]))
    weight = random.uniform(0.7, 1.5, models)
    score = np.sort(random.normal(1_200, 60, models))[::-1]
    pace = 100.0 * step * models
    names = [f"{name} {number}b" for number, name in enumerate(_words(random, models), 3)]
    called = [[name] * snapshots for name in names]
    listed = np.ones((models, snapshots), dtype=bool)
    draws = np.ones((models, snapshots))
    removed = None
    if planted:
        model, last = int(random.integers(models // 4)), int(random.integers(8, snapshots - 8))
        removed = Planted(names[model], last, bool(random.integers(2)))
        draws[model, last + 1 :] = 0
        if removed.leaves:
            listed[model, last + 1 :] = False
    change = np.zeros((models, snapshots))
    for at in range(1, snapshots):
        share = weight * draws[:, at] * random.gamma(1 / spread, spread, models)
        change[:, at] = random.poisson(pace * share / share.sum())
    change[:, 0] = random.integers(3_000, 20_000, models)
    low = list(range(models // 4, models))
    firm = [each % 7 for each in range(models)]
    _disturb(sort, random, change, listed, called, low, firm)
    totals = np.maximum(change.cumsum(axis=1).round(), 0)
    if sort == "season":
        at = int(random.integers(8, snapshots - 2))
        if removed is not None:
            at = removed.last - 5 if removed.last > 12 else removed.last + 5
        totals[:, at:] -= (totals[:, at - 1] - random.integers(0, 40, models))[:, None]
        totals = np.maximum(totals, 0)
    rows = []
    for at, date in enumerate(dates):
        noisy = score + random.normal(0, 1.0, models)
        order = [each for each in np.argsort(-noisy) if listed[each, at]]
        depth = int(random.integers(models // 2, models)) if sort == "cut" else len(order)
        for rank, model in enumerate(order[:depth], 1):
            rows.append(
                Row(
                    date=float(date),
                    model=called[model][at],
                    provider=f"firm {firm[model]}",
                    license=LICENSES[firm[model] % 3],
                    votes=float(totals[model, at]),
                    rank=float(rank),
                    score=float(noisy[model].round(1)),
                )
            )
    return rows, removed, [float(date) for date in dates]


def _words(random: np.random.Generator, count: int) -> list[str]:
    heads = ["ka", "lo", "mi", "nu", "pe", "ri", "so", "tu", "va", "we", "xi", "yo", "za"]
    tails = ["bran", "dell", "fern", "glen", "holt", "jade", "kite", "lark"]
    found: list[str] = []
    while len(found) < count:
        word = "".join([*random.choice(heads, 2), str(random.choice(tails))])
        if word not in found:
            found.append(word)
    return found


def _disturb(
    sort: str,
    random: np.random.Generator,
    change: np.ndarray,
    listed: np.ndarray,
    called: list[list[str]],
    low: list[int],
    firm: list[int],
) -> None:
    """Apply the changes of this sort of history to some models, never to the removed one."""
    snapshots = change.shape[1]
    some = [int(each) for each in random.choice(low, 6, replace=False)]
    if sort == "corrected":
        change[:, 1:] += random.laplace(0, float(random.choice([1.0, 3.0, 8.0])), change[:, 1:].shape)
        quiet = some[:3]
        change[quiet, 1:] = random.laplace(0, 8.0, (3, snapshots - 1))
    for model in some:
        at = int(random.integers(6, snapshots - 12))
        if sort == "away":
            listed[model, at : at + int(random.choice([1, 2, 3, 5, 9]))] = False
        if sort == "renamed":
            old = called[model][0]
            new = str(random.choice([old.upper().replace(" ", "-"), f"{old} instruct", f"{old} (2025-02-11)"]))
            called[model][at:] = [new] * (snapshots - at)
        if sort == "switch" and model in some[:5]:
            change[model, 1:] = 0  # an old model, listed for three snapshots and again from snapshot 30 on
            listed[model, 3:30] = False
    if sort == "relisted":
        old, new = some[:2]
        firm[new] = firm[old]
        at = int(random.integers(8, 20))
        called[old] = [f"{called[old][0]} (2025-01-02)"] * snapshots
        called[new] = [called[old][0].replace("01-02", "02-10")] * snapshots
        listed[old, at : at + 12] = False
        listed[new, :at] = False
        change[old, at:] = 0
        change[old, at + 6] = 40
