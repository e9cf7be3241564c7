"""Draw battles as columns: pairs, winners and the voters' data, under the arena's current conditions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.simulate import events
from services.simulate.arena import Arena
from services.simulate.clock import Times
from services.simulate.sampler import Codes, Sampler, Vector
from services.simulate.scenario import Scenario, VotesSection
from services.simulate.seeds import SeedStream, random_of
from services.simulate.voters import Said, VoterPool
from streams.contracts.vote import MODEL_A, MODEL_B, NONE
from streams.ledger.rows import Rows

POINTS = np.log(10) / 400
"""Logits per point."""


class Battles:
    """Draws battles under conditions that hold until the next turn; call `under` first to set them."""

    def __init__(self, scenario: Scenario, seed: int, names: list[str]) -> None:
        self._scenario, self._names = scenario, names
        self._number = {name: number for number, name in enumerate(names)}
        self._pairs, self._winners = random_of(seed, SeedStream.PAIRS), random_of(seed, SeedStream.WINNERS)
        self._crowd = VoterPool(scenario, seed)

    def under(self, arena: Arena) -> Battles:
        """Copy the arena's current weights, strengths and conditions."""
        self._sampler = Sampler.of(arena.drawn)
        self._strength, self._finish = arena.strength, arena.finish * np.sqrt(self._scenario.votes.finish)
        self._everyone_finishes = bool((self._finish == 1).all())
        self._conditions = arena.conditions
        return self

    def draw(self, n: int, times: Times) -> Rows:
        """Draw n battles; the caller fills in `partition` and `offset`."""
        votes = self._scenario.votes
        a, b = self._sampler.draw(self._pairs, n)
        winner = draw_winners(self._winners, a, b, self._strength, votes)
        if not self._everyone_finishes:
            left = self._winners.random(n) >= self._finish[a] * self._finish[b]
            winner[left] = NONE
        said = self._crowd.say(n, self._conditions)
        if self._conditions.flood is not None:
            self._favour(self._conditions.flood, said, a, b, winner)
        if self._conditions.zeros:
            winner[:] = NONE
        tstamp = times.battles(n)
        return Rows(
            models=self._names,
            model_a=a,
            model_b=b,
            winner=winner,
            tstamp=tstamp,
            partition=np.zeros(n, np.int32),
            offset=np.zeros(n, np.int64),
            recorded=np.rint(tstamp * 1_000).astype(np.int64),
            languages=self._crowd.languages,
            language=said.language,
            category_sets=self._crowd.sets,
            categories=said.categories,
            voters=said.voters,
            voter=said.voter,
            prompts=said.prompts,
            prompt=said.prompt,
            p_pair=self._sampler.chance(a, b) if votes.p_pair else None,
            style=None,
        )

    def finished(self, rows: Rows, n: int) -> Rows:
        """Return the first n rows, without unfinished battles if the arena does not send them."""
        if not self._scenario.votes.send_none and not self._conditions.zeros and not self._everyone_finishes:
            return rows.take(np.flatnonzero(rows.winner[:n] != NONE))
        return rows if n == len(rows) else rows.take(slice(None, n))

    def _favour(self, flood: events.Flood, said: Said, a: Codes, b: Codes, winner: NDArray[np.uint8]) -> None:
        if flood.favours is None or said.flooded is None:
            return
        number = self._number[flood.favours]
        winner[said.flooded & (a == number)] = MODEL_A
        winner[said.flooded & (b == number)] = MODEL_B


def draw_winners(
    random: np.random.Generator, a: Codes, b: Codes, strength: Vector, votes: VotesSection
) -> NDArray[np.uint8]:
    """Draw uint8[n]: 0 model_a, 1 model_b, 2 tie, 3 both bad.

    Parameters
    ----------
    a, b
        int32[n], the models.
    strength
        float64[M], points.
    votes
        `tie_rate` is the share of ties; in Davidson's model, between equals: ν = 2t/(1 − t). `both_bad` is a share
        of the ties.
    """
    gap = (strength[a] - strength[b]) * POINTS
    if votes.tie_model == "davidson":
        nu = 2 * votes.tie_rate / (1 - votes.tie_rate)
        half = np.exp(-0.5 * np.abs(gap))
        tie = nu * half / (1 + half * half + nu * half)
    else:
        tie = np.full(1, votes.tie_rate)
    drawn = random.random(a.size)
    beaten: NDArray[np.bool_] = drawn >= (1 - tie) / (1 + np.exp(-gap))
    undecided = drawn >= 1 - tie
    bad = drawn >= 1 - tie * votes.both_bad
    return np.asarray(beaten.view(np.uint8) + undecided.view(np.uint8) + bad.view(np.uint8))
