"""Draw battles as columns: pairs, winners, voters, prompts, languages and categories, under the current conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.simulate import events
from services.simulate.arena import Arena
from services.simulate.clock import Times
from services.simulate.conditions import Conditions
from services.simulate.sampler import Codes, Sampler, Vector
from services.simulate.scenario import Scenario, VotesSection
from services.simulate.seeds import SeedStream, random_of
from streams.contracts.vote import MODEL_A, MODEL_B, NONE
from streams.ledger.rows import Rows


@dataclass(frozen=True, slots=True)
class Said:
    """Voters and contents of a block's battles: codes and their dictionaries; None for a column that is not sent."""

    language: Codes | None
    categories: Codes | None
    voters: list[str]
    voter: Codes | None
    prompts: list[str]
    prompt: Codes | None
    flooded: np.ndarray | None


class VoterPool:
    """Draws voters, prompts, languages and categories; keeps the number of prompts so far."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.languages = ["", *scenario.languages]
        self._mix = np.cumsum(list(scenario.languages.values()))
        self._categories = sorted(scenario.categories)
        self._shares = [scenario.categories[name] for name in self._categories]
        self.sets = [
            tuple(name for bit, name in enumerate(self._categories) if code >> bit & 1)
            for code in range(1 << len(self._categories))
        ]
        self._people = scenario.voters.count
        self._names = [""] + [f"v{number:x}" for number in range(self._people)]
        self._has_prompts = scenario.prompts is not None
        self._window = scenario.prompts.window if scenario.prompts else 1
        self._asked = 0
        self._random = {stream: random_of(seed, stream) for stream in SeedStream}

    def say(self, n: int, conditions: Conditions) -> Said:
        """Draw the voters' data of n battles."""
        voters, voter = self._voters(n)
        numbers = self._prompts(n, conditions.reuse) if self._has_prompts else None
        flooded = None
        flood = conditions.flood
        if flood is not None:
            flooded = self._random[SeedStream.FLOODS].random(n) < flood.share
            voters = [*voters, flood.voter]
            voter = np.where(flooded, len(voters) - 1, 0 if voter is None else voter).astype(np.int32)
            if flood.prompts:
                asked = -self._random[SeedStream.FLOODS].integers(1, flood.prompts + 1, n)
                numbers = np.where(flooded, asked, 0 if numbers is None else numbers)
        prompts, prompt = _coded(numbers)
        return Said(self._language(n), self._category_codes(n), voters, voter, prompts, prompt, flooded)

    def _voters(self, n: int) -> tuple[list[str], Codes | None]:
        if not self._people:
            return self._names, None
        return self._names, self._random[SeedStream.VOTERS].integers(1, self._people + 1, n, dtype=np.int32)

    def _language(self, n: int) -> Codes | None:
        if not self._mix.size:
            return None
        drawn = np.searchsorted(self._mix, self._random[SeedStream.LANGUAGES].random(n), side="right") + 1
        return np.where(drawn <= self._mix.size, drawn, 0).astype(np.int32)

    def _category_codes(self, n: int) -> Codes | None:
        if not self._shares:
            return None
        codes = np.zeros(n, np.int32)
        for bit, share in enumerate(self._shares):
            codes |= (self._random[SeedStream.CATEGORIES].random(n) < share).astype(np.int32) << np.int32(bit)
        return codes

    def _prompts(self, n: int, reuse: float) -> np.ndarray:
        """Return int64[n], prompt numbers from 1; a repeat is one of the last `window` prompts."""
        random = self._random[SeedStream.PROMPTS]
        new = random.random(n) >= reuse
        if not self._asked:
            new[0] = True
        count = self._asked + np.cumsum(new)
        known = np.minimum(count, self._window)
        repeated = count - (random.random(n) * known).astype(np.int64)
        self._asked = int(count[-1])
        return np.where(new, count, repeated)


def _coded(numbers: np.ndarray | None) -> tuple[list[str], Codes | None]:
    """Code prompt numbers as words; 0 means no prompt, negative numbers are a flood's prompts."""
    if numbers is None:
        return [""], None
    used, codes = np.unique(numbers, return_inverse=True)
    if 0 in used:
        words = ["" if number == 0 else _word(number) for number in used.tolist()]
        where = int(np.flatnonzero(used == 0)[0])
        # The empty word must come first.
        order = np.arange(used.size)
        order[: where + 1] = np.roll(order[: where + 1], -1)
        words.insert(0, words.pop(where))
        return words, order[codes].astype(np.int32)
    return ["", *map(_word, used.tolist())], (codes + 1).astype(np.int32)


def _word(number: int) -> str:
    return f"{number:016x}" if number > 0 else f"flood-{-number}"


POINTS = np.log(10) / 400
"""Logits per point."""


class BattleGenerator:
    """Draws battles under conditions that hold until the next turn; call `under` first to set them."""

    def __init__(self, scenario: Scenario, seed: int, names: list[str]) -> None:
        self._scenario, self._names = scenario, names
        self._number = {name: number for number, name in enumerate(names)}
        self._pairs, self._winners = random_of(seed, SeedStream.PAIRS), random_of(seed, SeedStream.WINNERS)
        self._crowd = VoterPool(scenario, seed)

    def under(self, arena: Arena) -> BattleGenerator:
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
            battles=[""],
            battle=None,
            p_pair=self._sampler.chance(a, b) if votes.p_pair else None,
            drawn_at=None,
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
