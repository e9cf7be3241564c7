"""Published histories of a healthy board with several changes, often at once, as when its source changes.

The changes are: a depth that varies; totals that are corrected, multiplied by a factor, recounted or reset; names with
another spelling, with or without a change of totals; models that are off the board for a while; old models that the
source starts to list; files without scores and ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streams.audit.board.history import Row
from tests.support.histories import DAY, LICENSES, START, Planted

SNAPSHOTS = 36
SIZES = (7, 8, 27, 70, 72, 405)
VARIANTS = ("", " mini", " thinking", " preview", " (2024-11-20)")
HEADS = ("kal", "lom", "min", "nub", "per", "ris", "sol", "tuv", "van", "wex", "xil", "yor", "zam")
TAILS = ("bran", "dell", "fern", "glen", "holt", "jade", "kite", "lark")

SPELLINGS: tuple[Callable[[str, str], str], ...] = (
    lambda name, firm: f"{firm.replace(' ', '-')}/{name.replace(' ', '-')}",
    lambda name, firm: f"{firm}: {name.title()}",
    lambda name, firm: name.replace(" ", "-").replace(".", "-").replace("(", "").replace(")", ""),
    lambda name, firm: f"{name} hosted",
    lambda name, firm: f"{name}-instruct",
    lambda name, firm: name if "(20" in name else f"{name} (2025-0{1 + len(name) % 6}-15)",
    lambda name, firm: f"{name.split()[0].title()}-{'-'.join(reversed(name.split()[1:]))}",
)


@dataclass(frozen=True)
class Mixture:
    """A drawn history.

    Attributes
    ----------
    rows, dates
        The rows of its snapshots, and their dates.
    planted
        The removed model, None if there is none, under the name at its removal.
    said
        The drawn changes, for messages.
    """

    rows: list[Row]
    dates: list[float]
    planted: Planted | None
    said: dict[str, object]


def mixture(seed: int, planted: bool = False) -> Mixture:
    """Draw a history of 36 snapshots; with `planted`, one running model of the upper quarter is removed."""
    random = np.random.default_rng([seed, 77])
    models = int(random.integers(24, 50))
    step = float(random.choice([1, 3, 7]))
    firm = [f"firm {each % 6}" for each in range(models)]
    names = _names(random, models)
    spread = float(random.choice([0.02, 0.06]))
    weight = random.uniform(0.7, 1.5, models)
    score = 1_500 - 6.0 * np.arange(models)
    moment = int(random.integers(10, SNAPSHOTS - 10))
    restated = str(random.choice(["not", "multiplied", "multiplied", "recounted", "season"]))
    respelled = int(random.integers(len(SPELLINGS))) if random.random() < 0.75 else None
    respelled_at = moment if random.random() < 0.6 else int(random.integers(6, SNAPSHOTS - 4))
    kept = random.random(models) < float(random.choice([0.0, 0.0, 0.4]))
    spelled = [
        name if respelled is None or same else SPELLINGS[respelled](name, maker)
        for name, maker, same in zip(names, firm, kept, strict=True)
    ]
    scored, cut = bool(random.random() < 0.7), bool(random.random() < 0.4)
    listed = np.ones((models, SNAPSHOTS), dtype=bool)
    draws = np.ones((models, SNAPSHOTS))
    some = [int(each) for each in random.choice(np.arange(models // 4, models), 8, replace=False)]
    away = some[: int(random.integers(4))]
    for model in away:
        at = int(random.integers(5, SNAPSHOTS - 12))
        listed[model, at : at + int(random.choice([1, 2, 3, 5, 8]))] = False
    old = some[3:8] if random.random() < 0.3 else []
    draws[old, 1:] = 0
    listed[old, 3 : int(random.integers(20, 30))] = False
    removed = None
    if planted:
        last = moment - 1 if random.random() < 0.5 else int(random.integers(8, SNAPSHOTS - 8))
        model, leaves = int(random.integers(1, models // 4)), bool(random.integers(2))
        draws[model, last + 1 :] = 0
        if leaves:
            listed[model, last + 1 :] = False
        gone_as = last if leaves else SNAPSHOTS - 1
        removed = Planted(spelled[model] if gone_as >= respelled_at else names[model], last, leaves)
    change = np.zeros((models, SNAPSHOTS))
    change[:, 0] = random.integers(3_000, 20_000, models)
    for at in range(1, SNAPSHOTS):
        share = weight * draws[:, at] * random.gamma(1 / spread, spread, models)
        change[:, at] = random.poisson(100.0 * step * models * share / share.sum())
    if random.random() < 0.3:
        change[:, 1:] += random.laplace(0, float(random.choice([1.0, 3.0])), (models, SNAPSHOTS - 1))
    totals = np.maximum(change.cumsum(axis=1).round(), 0)
    factor = _restate(random, restated, totals, moment)
    rows = []
    for at in range(SNAPSHOTS):
        noisy = score + random.normal(0, 1.0, models) if scored else score
        order = [int(each) for each in np.argsort(-noisy) if listed[each, at]]
        depth = int(random.integers(models // 2, models)) if cut else len(order)
        for rank, model in enumerate(order[:depth], 1):
            rows.append(
                Row(
                    date=START + DAY * step * at,
                    model=spelled[model] if at >= respelled_at else names[model],
                    provider=firm[model],
                    license=LICENSES[int(firm[model][-1]) % 3],
                    votes=float(totals[model, at]),
                    rank=float(rank) if scored else None,
                    score=float(noisy[model].round(1)) if scored else None,
                )
            )
    said = {
        "restated": restated, "factor": factor, "at": moment, "respelled": respelled, "respelled_at": respelled_at,
        "kept": int(kept.sum()), "scored": scored, "cut": cut, "away": away, "old": old,
    }  # fmt: skip
    return Mixture(rows, [START + DAY * step * at for at in range(SNAPSHOTS)], removed, said)


def _names(random: np.random.Generator, count: int) -> list[str]:
    """Names of model families with several sizes and variants, like those of providers."""
    found: list[str] = []
    while len(found) < count:
        family = f"{random.choice(HEADS)}{random.choice(TAILS)} {random.integers(1, 5)}.{random.integers(10)}"
        size = int(random.choice(SIZES))
        for variant in (
            VARIANTS[: int(random.integers(1, 4))] if random.random() < 0.6 else [str(random.choice(VARIANTS))]
        ):
            if (name := f"{family} {size}b{variant}") not in found:
                found.append(name)
    return found[:count]


def _restate(random: np.random.Generator, how: str, totals: np.ndarray, at: int) -> float:
    """Change the totals from a snapshot on; returns the median factor."""
    if how == "season":
        totals[:, at:] = np.maximum(totals[:, at:] - totals[:, [at - 1]] + random.integers(0, 40, (len(totals), 1)), 0)
        return 0.0
    factors = np.ones(len(totals))
    if how == "multiplied":
        factors *= float(random.choice([0.6, 0.8, 1.3, 1.9, 2.0, 5.0]))
    if how == "recounted":
        factors = random.uniform(0.6, 1.5, len(totals))
    totals[:, at:] += ((factors - 1) * totals[:, at - 1]).round()[:, None]
    return float(np.median(factors))
