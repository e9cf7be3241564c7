"""A made-up arena for the kinds that look at single battles: 60 models, X at 4 %, and what an arena can do to X."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert
from streams.contracts.model import Model
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.ledger.codec import Block, Notice
from tests.unit.fairness.arena import SECONDS, START, draw_pairs, make_rows

MODELS, X, SHARE = 60, 0, 0.04
LANGUAGES = ("", "english", "chinese", "german", "thai")
SPEAK = np.array([0.0, 0.65, 0.2, 0.13, 0.02])
SETS = ((), ("code",), ("math",), ("code", "math"), ("creative",))
ASK = np.array([0.3, 0.2, 0.2, 0.05, 0.25])


@dataclasses.dataclass
class Battles:
    """n battles as columns; `mine` is where X is in one."""

    pairs: NDArray[Any]
    winner: NDArray[Any]
    language: NDArray[Any]
    categories: NDArray[Any]

    @property
    def mine(self) -> NDArray[Any]:
        return (self.pairs == X).any(axis=1)

    def take(self, chosen: NDArray[Any] | slice) -> "Battles":
        return Battles(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


Attack = Callable[["Arena", Battles], Battles]


class Arena:
    """Plays battles and folds them at once."""

    def __init__(self, seed: int, settings: FairnessSettings | None = None, *, ties: float = 0.0) -> None:
        self.random = np.random.default_rng(seed)
        self.settings = settings or FairnessSettings()
        self.state = ArenaFairness.start("text", self.settings)
        self.names = [f"model-{number:02}" for number in range(MODELS)]
        self.weights = np.full(MODELS, (2.0 - SHARE) / (MODELS - 1))
        self.weights[X] = 0.0402  # 4 % of battles
        self.strength = np.linspace(-1.0, 1.0, MODELS)[np.random.default_rng(7).permutation(MODELS)]
        self.strength[X] = 0.0
        self.ties, self.left = ties, 0.5
        self.finish = np.ones(MODELS)
        self.report_none = self.known_draws = True
        self.rows, self.alerts = 0, list[Alert]()
        self.notices, self.records = 0, list[Block | Notice]()
        for number in range(MODELS):
            self.declare(number)

    def declare(self, number: int, **changed: Any) -> None:
        """Send a notice about a model; the arena follows it."""
        self.weights[number] = changed.get("weight", self.weights[number])
        model = Model(
            arena="text",
            model=self.names[number],
            provider=f"lab-{number % 12}",
            license="open_weight" if number % 2 else "proprietary",
            visibility="public",
            status=changed.get("status", "active"),
            weight=float(self.weights[number]),
            tstamp=START + SECONDS * self.rows,
        )
        self.send(Notice("text", model.model, model, 0, self.notices, int(model.tstamp * 1000)))
        self.notices += 1

    def send(self, record: Block | Notice) -> None:
        self.records.append(record)
        self.alerts += fold(self.state, record)

    def draw(self, n: int) -> Battles:
        random, shift = self.random, np.log(self.left / (1 - self.left))
        pairs = draw_pairs(random, self.weights, n)
        self.spoil(pairs)
        gap = self.strength[pairs[:, 0]] - self.strength[pairs[:, 1]] + shift
        winner = (random.random(n) >= 1 / (1 + np.exp(-gap))).astype(np.uint8)
        winner[random.random(n) < self.ties] = 2
        winner[random.random(n) >= self.finish[pairs[:, 0]] * self.finish[pairs[:, 1]]] = 4
        return Battles(pairs, winner, random.choice(5, n, p=SPEAK), random.choice(5, n, p=ASK))

    def spoil(self, pairs: NDArray[Any]) -> None:
        """Change who meets whom; nothing unless an attack replaces it."""

    def play(self, n: int, attack: Attack | None = None, block: int = 2_000) -> None:
        until = self.rows + n
        while self.rows < until:
            battles = self.draw(block)
            if attack is not None:
                battles = attack(self, battles)
            if not self.report_none:
                battles = battles.take(battles.winner != 4)
            battles = battles.take(slice(0, until - self.rows))
            count = len(battles.winner)
            times = START + SECONDS * (self.rows + np.arange(1.0, count + 1))
            rows = dataclasses.replace(
                make_rows(self.names, battles.pairs, battles.winner, times, self.rows),
                languages=list(LANGUAGES),
                language=battles.language.astype(np.int32),
                category_sets=list(SETS),
                categories=battles.categories.astype(np.int32),
            )
            if self.known_draws:
                words = ["", *(f"d{row:x}" for row in range(self.rows, self.rows + count))]
                rows = dataclasses.replace(rows, battles=words, battle=np.arange(1, count + 1, dtype=np.int32))
            self.rows += count
            self.send(Block("text", rows, {0: self.rows - 1}))

    def until_page(self, kind: str, attack: Attack, most: int, subject: str | None = None) -> int | None:
        """Battles from now to the first page of a kind, in blocks of 500; None beyond `most`."""
        began, known = self.rows, len(self.alerts)
        while self.rows - began < most:
            self.play(500, attack, block=500)
            for alert in self.alerts[known:]:
                if alert.kind == kind and alert.severity == "critical" and alert.subject.model == subject:
                    return round((alert.detected_at - START) / SECONDS) - began
        return None

    def copy(self, seed: int) -> "Arena":
        """The same past with another future."""
        twin = object.__new__(Arena)
        twin.__dict__.update(self.__dict__)
        twin.random = np.random.default_rng(seed)
        twin.state = decode_state(encode_state(self.state), self.settings)
        twin.alerts, twin.records = list(self.alerts), []
        twin.weights, twin.strength = self.weights.copy(), self.strength.copy()
        return twin


def weaker_half(arena: Arena, battles: Battles) -> Battles:
    """X meets only the weaker half; its share is kept."""
    weak = np.flatnonzero(arena.strength < np.median(arena.strength))
    weak = weak[weak != X]
    mine, pairs = battles.mine, battles.pairs
    other = np.where(pairs[:, 0] == X, 1, 0)[mine]
    pairs[np.flatnonzero(mine), other] = arena.random.choice(weak, int(mine.sum()))
    gap = arena.strength[pairs[:, 0]] - arena.strength[pairs[:, 1]]
    battles.winner[mine] = (arena.random.random(len(gap)) >= 1 / (1 + np.exp(-gap)))[mine]
    return battles


def always_left(arena: Arena, battles: Battles) -> Battles:
    turn = battles.pairs[:, 1] == X
    battles.pairs[turn] = battles.pairs[turn, ::-1]
    battles.winner[turn] = np.array([1, 0, 2, 3, 4])[battles.winner[turn]]
    return battles


def no_language(arena: Arena, battles: Battles) -> Battles:
    """X is gone in Chinese, 20 % of battles; its share of all battles is kept."""
    mine = battles.mine & (battles.language == 2)
    battles.language[mine] = 1
    return battles


def three_votes(arena: Arena, battles: Battles) -> Battles:
    """Each draw has three votes, one after the other."""
    return battles.take(np.repeat(np.arange(len(battles.winner)), 3))


def no_category(arena: Arena, battles: Battles) -> Battles:
    """X is gone in the category code, 25 % of battles."""
    mine = battles.mine & np.isin(battles.categories, (1, 3))
    battles.categories[mine] = 0
    return battles


def _mine_with(battles: Battles, won: bool) -> NDArray[Any]:
    left = (battles.pairs[:, 0] == X) & (battles.winner == (0 if won else 1))
    right = (battles.pairs[:, 1] == X) & (battles.winner == (1 if won else 0))
    return left | right


def losses_deleted(arena: Arena, battles: Battles) -> Battles:
    """Half of X's losses."""
    gone = _mine_with(battles, won=False) & (arena.random.random(len(battles.winner)) < 0.5)
    return battles.take(~gone)


def wins_told_twice(arena: Arena, battles: Battles) -> Battles:
    """Half of X's wins, under new ids."""
    again = _mine_with(battles, won=True) & (arena.random.random(len(battles.winner)) < 0.5)
    return battles.take(np.repeat(np.arange(len(again)), np.where(again, 2, 1)))


def stronger_variant(arena: Arena, battles: Battles) -> Battles:
    """+87 points behind X's name."""
    pairs, mine = battles.pairs, battles.mine
    strength = arena.strength.copy()
    strength[X] += 0.5
    gap = strength[pairs[:, 0]] - strength[pairs[:, 1]]
    anew = (arena.random.random(len(gap)) >= 1 / (1 + np.exp(-gap))).astype(np.uint8)
    battles.winner[mine & (battles.winner < 2)] = anew[mine & (battles.winner < 2)]
    return battles


def drift_left(arena: Arena, battles: Battles) -> Battles:
    """A fifth of the right wins become left wins."""
    turned = (battles.winner == 1) & (arena.random.random(len(battles.winner)) < 0.2)
    battles.winner[turned] = 0
    return battles
