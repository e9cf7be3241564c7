"""Draw battles as columns: pairs, winners, voters, prompts, languages and categories, under the current conditions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.simulate import attacks, events
from services.simulate.arena import Arena
from services.simulate.clock import Times
from services.simulate.columns import Columns, Numbers, Words, draw_prefix, joined
from services.simulate.sampler import Codes, Sampler, Vector
from services.simulate.scenario import DrawsSection, Scenario, VotesSection
from services.simulate.seeds import SeedStream, random_of
from services.simulate.voters import VoterPool, bot_names
from streams.contracts.vote import MODEL_A, MODEL_B, NONE
from streams.ledger.rows import Rows

POINTS = np.log(10) / 400
"""Logits per point."""


class BattleGenerator:
    """Draws battles under conditions that hold until the next turn; call `under` first to set them."""

    def __init__(self, scenario: Scenario, seed: int, names: list[str]) -> None:
        self._scenario, self._draws = scenario, scenario.draws or DrawsSection(battle=False, drawn_at=False)
        self._number = {name: number for number, name in enumerate(names)}
        self._pairs, self._winners = random_of(seed, SeedStream.PAIRS), random_of(seed, SeedStream.WINNERS)
        self._lags = random_of(seed, SeedStream.DRAWS)
        self._crowd = VoterPool(scenario, seed)
        self._bots = {number: self._crowd.code(voters[0]) for number, voters in bot_names(scenario).items()}
        self._words = Words(
            names,
            self._crowd.languages,
            self._crowd.sets,
            self._crowd.people,
            self._crowd.others,
            draw_prefix(scenario.name, seed) if self._draws.battle else None,
            self._draws.drawn_at,
        )
        self._begun = 0
        self._drawn_at = np.zeros(0)
        self._late = self._draws.lag > 0 or any(isinstance(event, events.Retell) for event in scenario.events)
        self._waiting: list[Columns] = []

    def under(self, arena: Arena) -> BattleGenerator:
        """Copy the arena's current weights, strengths and conditions."""
        self._sampler = Sampler.of(arena.drawn)
        self._strength, self._finish = arena.strength, arena.finish * np.sqrt(self._scenario.votes.finish)
        self._everyone_finishes = bool((self._finish == 1).all())
        self._conditions = arena.conditions
        return self

    def draw(self, n: int, times: Times) -> Columns:
        """Draw n pairs and the votes on them, in the order of the draws."""
        conditions, votes = self._conditions, self._scenario.votes
        a, b = self._sampler.draw(self._pairs, n)
        a, b = attacks.skew_pairs(conditions, self._sampler, self._strength, a, b)
        chance = self._sampler.chance(a, b) if votes.p_pair else None
        drawn_at = self._drawn_at = times.battles(n)
        of = self._several(n)
        each: Numbers | slice = slice(None) if of is None else of
        a, b = a[each], b[each]
        said = self._crowd.say(n, conditions, of)
        columns = Columns(
            draw=self._begun + (np.arange(n) if of is None else of),
            a=a,
            b=b,
            winner=self._outcomes(self._winners, a, b),
            drawn_at=drawn_at[each],
            tstamp=drawn_at[each],
            language=said.language,
            categories=said.categories,
            voter=said.voter,
            prompt=said.prompt,
            p_pair=None if chance is None else chance[each],
        )
        self._begun += n
        attacks.move_strata(conditions, columns, self._crowd.languages, self._crowd.categories)
        if conditions.flood is not None:
            self._favour(conditions.flood, said.flooded, columns)
        attacks.cast_bots(conditions, columns, self._bots.__getitem__)
        attacks.lean(conditions, columns)
        if conditions.zeros:
            columns.winner[:] = NONE
        columns = attacks.lose(conditions, self._voted_later(columns), self._outcomes)
        attacks.misstate(conditions, columns)
        attacks.invent(conditions, columns, len(self._words.models), self._crowd.code)
        return attacks.retell(conditions, columns)

    def finished(self, columns: Columns, n: int, kept: int) -> Rows:
        """Return the rows that have arrived when `kept` of the last n draws are made; the others wait for their time.

        Unfinished battles are left out if the arena does not send them.
        """
        flood = self._conditions.flood
        others = 0 if flood is None else self._words.others.index(flood.voter) + 1
        sent = columns.draw < self._begun - n + kept
        if not self._scenario.votes.send_none and not self._conditions.zeros:
            sent &= columns.winner != NONE
        if self._late:
            return self._words.rows(self._arrived(columns.take(sent), self._drawn_at[kept - 1]), others)
        rows = self._words.rows(columns, others)
        return rows if sent.all() else rows.take(np.flatnonzero(sent))

    def _several(self, n: int) -> Numbers | None:
        """Draw the number of votes on each of n draws; return int64[m], the draw of each vote."""
        if self._draws.votes == 1:
            return None
        return np.repeat(np.arange(n), self._lags.geometric(1 / self._draws.votes, n))

    def _outcomes(self, random: np.random.Generator, a: Codes, b: Codes) -> NDArray[np.uint8]:
        """Draw how battles end, `none` for one that people leave."""
        winner = draw_winners(random, a, b, self._strength, self._scenario.votes)
        if not self._everyone_finishes:
            left = random.random(a.size) >= self._finish[a] * self._finish[b]
            winner[left] = NONE
        return winner

    def _voted_later(self, columns: Columns) -> Columns:
        """Give votes their times, one after the other on each draw; only the first may be left out by people."""
        if self._draws.votes == 1 and not self._draws.lag:
            return columns
        first = np.diff(columns.draw, prepend=-1) != 0
        if self._draws.lag:
            took = self._draws.lag * np.exp(self._draws.spread * self._lags.standard_normal(len(columns)))
            passed = np.cumsum(took)
            begins = np.flatnonzero(first)
            before = (passed - took)[begins]
            columns.tstamp = np.round(
                columns.drawn_at + passed - np.repeat(before, np.diff(begins, append=len(first))), 3
            )
        return columns if first.all() else columns.take(first | (columns.winner != NONE))

    def _arrived(self, columns: Columns, now: float) -> Columns:
        """Take the votes that have come until now, in the order of their times; the others wait."""
        whole = joined([*self._waiting, columns])
        come = whole.tstamp <= now
        self._waiting = [whole.take(~come)]
        rows = np.flatnonzero(come)
        return whole.take(rows[np.lexsort((whole.draw[rows], whole.tstamp[rows]))])

    def _favour(self, flood: events.Flood, flooded: NDArray[np.bool_] | None, columns: Columns) -> None:
        if flood.favours is None or flooded is None:
            return
        number = self._number[flood.favours]
        columns.winner[flooded & (columns.a == number)] = MODEL_A
        columns.winner[flooded & (columns.b == number)] = MODEL_B


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
