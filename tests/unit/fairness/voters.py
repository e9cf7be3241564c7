"""A synthetic arena with voters and prompts for the tests of voters; it misbehaves on request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Alert
from streams.contracts.model import Model
from streams.fairness.detectors.catalog import DETECTORS
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows, code
from tests.unit.fairness.arena import SECONDS, START, draw_pairs


class VoterArena:
    """Votes of many people, how often each votes heavy-tailed; each asks one of five favourite prompts at times.

    Parameters
    ----------
    tastes
        Standard deviation in logits of how a voter likes a model beyond its strength.
    session
        Votes that a voter gives in a row.
    favourite
        Part of the votes on a favourite prompt.
    """

    detectors = DETECTORS

    def __init__(
        self,
        seed: int,
        settings: FairnessSettings | None = None,
        models: int = 10,
        voters: int = 2_000,
        block: int = 2_000,
        tastes: float = 0.0,
        session: int = 1,
        favourite: float = 0.2,
        name_battles: bool = False,
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.names = [f"model-{number:02}" for number in range(models)]
        self.strength = self.random.normal(0.0, 0.5, models)
        self.weights = np.ones(models)
        busy = np.cumsum(self.random.pareto(1.3, voters) + 1.0)
        self.busy, self.voters = busy / busy[-1], voters
        self.liking = self.random.normal(0.0, tastes, (voters, models)) if tastes else None
        self.block, self.session, self.favourite, self.name_battles = block, session, favourite, name_battles
        self.state = ArenaFairness.start("text", settings or FairnessSettings())
        self.records: list[Block | Notice] = []
        self.alerts: list[Alert] = []
        self.asked = self.rows = 0
        self.clock = START
        for number, name in enumerate(self.names):
            model = Model(arena="text", model=name, provider="lab", license="proprietary", visibility="public",
                          status="active", weight=1.0, tstamp=START)  # fmt: skip
            self.fold(Notice("text", name, model, 0, number, int(START * 1000)))

    def fold(self, record: Block | Notice) -> list[Alert]:
        self.records.append(record)
        found = fold(self.state, record)
        self.alerts += found
        return found

    def battles(
        self,
        n: int,
        *,
        bots: int = 0,
        favours: int = 0,
        part: float = 0.0,
        against: bool = False,
        resend: float = 0.0,
        retell: float = 0.0,
        script: float = 0.0,
    ) -> None:
        """Play n battles.

        `bots` voters give a `part` of the votes on the model `favours`, for it or `against` it. A part `resend` of all
        votes, and `retell` of that model's wins, is sent twice; a voter's script sends one vote `script`·n times.
        """
        while n > 0:
            size = min(n, self.block)
            n -= size
            random, pairs = self.random, draw_pairs(self.random, self.weights, size)
            voter = np.repeat(np.searchsorted(self.busy, random.random(size)), self.session)[:size]
            gap = self.strength[pairs[:, 0]] - self.strength[pairs[:, 1]]
            if self.liking is not None:
                gap = gap + self.liking[voter, pairs[:, 0]] - self.liking[voter, pairs[:, 1]]
            winner = np.where(random.random(size) < 1 / (1 + np.exp(-gap)), 0, 1)
            winner[random.random(size) < 0.2] = 2
            who = [f"u{each}" for each in voter.tolist()]
            if bots:
                for at in np.flatnonzero((pairs == favours).any(axis=1) & (random.random(size) < part)).tolist():
                    who[at] = f"bot-{random.integers(bots)}"
                    winner[at] = int((pairs[at, 0] != favours) != against)
            favourite = random.random(size) < self.favourite
            prompts = [
                f"{who[at]} asks {random.integers(5)}" if favourite[at] else f"new {self.asked + at}"
                for at in range(size)
            ]
            won = np.where(winner == 0, pairs[:, 0], np.where(winner == 1, pairs[:, 1], -1)) == favours
            again = (random.random(size) < resend) | (won & (random.random(size) < retell))
            places = np.concatenate([np.arange(size), np.flatnonzero(again)])
            if script:
                who[0] = "script"
                places = np.concatenate([places, np.zeros(int(script * size), np.int64)])
            self._send(pairs, winner, who, prompts, np.sort(places))
            self.asked += size

    def _send(
        self,
        pairs: NDArray[np.float64],
        winner: NDArray[np.integer],
        who: list[str],
        prompts: list[str],
        places: NDArray[np.integer],
    ) -> None:
        n = len(places)
        times = self.clock + SECONDS * np.arange(1.0, n + 1.0)
        self.clock = float(times[-1])
        chosen = places.tolist()
        voters, voter = code([who[at] for at in chosen], first=[""])
        words, prompt = code([prompts[at] for at in chosen], first=[""])
        named = code([f"b{self.asked + at}" for at in chosen], first=[""]) if self.name_battles else ([""], None)
        rows = Rows(
            models=self.names,
            model_a=pairs[places, 0].astype(np.int32),
            model_b=pairs[places, 1].astype(np.int32),
            winner=winner[places].astype(np.uint8),
            tstamp=times.astype(np.float64),
            partition=np.zeros(n, np.int32),
            offset=np.arange(self.rows, self.rows + n),
            recorded=(times * 1000).astype(np.int64),
            languages=[""],
            language=None,
            category_sets=[()],
            categories=None,
            voters=voters,
            voter=voter,
            prompts=words,
            prompt=prompt,
            battles=named[0],
            battle=named[1],
            p_pair=None,
            drawn_at=None,
            style=None,
        )
        self.rows += n
        self.fold(Block("text", rows, {0: self.rows - 1}))
