"""Draw who votes on each battle, in which language and categories, and with which prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.simulate.columns import Numbers
from services.simulate.conditions import Conditions
from services.simulate.events import Bots, Flood, Invent
from services.simulate.sampler import Codes
from services.simulate.scenario import Scenario
from services.simulate.seeds import SeedStream, random_of

SEATS = 64
"""Voters who are in the arena at the same time, each in a session of battles."""


@dataclass(frozen=True, slots=True)
class Said:
    """Voters and contents of a block's votes: codes of the words, numbers of prompts; None for a column not sent."""

    language: Codes | None
    categories: Codes | None
    voter: Codes | None
    prompt: Numbers | None
    flooded: NDArray[np.bool_] | None


class VoterPool:
    """Draws voters, prompts, languages and categories; keeps the number of prompts so far."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.languages = ["", *scenario.languages]
        self._mix = np.cumsum(list(scenario.languages.values()))
        self.categories = sorted(scenario.categories)
        self._shares = [scenario.categories[name] for name in self.categories]
        self.sets = [
            tuple(name for bit, name in enumerate(self.categories) if code >> bit & 1)
            for code in range(1 << len(self.categories))
        ]
        self._people = scenario.voters.count
        self.people = [""] + [f"v{number:x}" for number in range(self._people)]
        self.others = _others(scenario)
        self._session = scenario.draws.session if scenario.draws else 1.0
        self._has_prompts = scenario.prompts is not None
        self._window = scenario.prompts.window if scenario.prompts else 1
        self._asked = 0
        self._random = {stream: random_of(seed, stream) for stream in SeedStream}
        self._seats = self._random[SeedStream.SESSIONS].integers(1, max(self._people, 1) + 1, SEATS, dtype=np.int32)

    def code(self, voter: str) -> int:
        """Code of a voter who is one of `others`."""
        return len(self.people) + self.others.index(voter)

    def say(self, n: int, conditions: Conditions, of: Numbers | None = None) -> Said:
        """Draw the voters' data of n draws.

        Parameters
        ----------
        of
            int64[m], the draw of each vote, from 0; without it, there is one vote on each draw. Votes on one draw share
            everything but the prompt: each vote is about an answer of its own.
        """
        each = slice(None) if of is None else of
        voter = self._voters(n)
        numbers = self._prompts(n if of is None else of.size, conditions.reuse) if self._has_prompts else None
        flooded = None
        flood = conditions.flood
        if flood is not None:
            flooded = self._random[SeedStream.FLOODS].random(n) < flood.share
            voter = np.where(flooded, self.code(flood.voter), 0 if voter is None else voter).astype(np.int32)
            if flood.prompts:
                asked = -self._random[SeedStream.FLOODS].integers(1, flood.prompts + 1, n)
                numbers = np.where(flooded[each], asked[each], 0 if numbers is None else numbers)
            flooded = flooded[each]
        language, categories = self._language(n), self._category_codes(n)
        return Said(
            language=None if language is None else language[each],
            categories=None if categories is None else categories[each],
            voter=None if voter is None else voter[each],
            prompt=numbers,
            flooded=flooded,
        )

    def _voters(self, n: int) -> Codes | None:
        if not self._people:
            return None
        drawn = self._random[SeedStream.VOTERS].integers(1, self._people + 1, n, dtype=np.int32)
        return drawn if self._session == 1 else self._in_sessions(drawn)

    def _in_sessions(self, drawn: Codes) -> Codes:
        """Let voters stay: each battle is one of a seat, whose voter changes after 1 of `session` battles."""
        random = self._random[SeedStream.SESSIONS]
        seat = random.integers(SEATS, size=drawn.size)
        leaves = random.random(drawn.size) < 1 / self._session
        # By seat, and within it by time, after the voter who sat there before this block.
        order = np.argsort(np.concatenate([np.arange(SEATS), seat]), kind="stable")
        begins = np.concatenate([np.ones(SEATS, np.bool_), leaves])[order]
        who = np.concatenate([self._seats, drawn])[order]
        last = np.maximum.accumulate(np.where(begins, np.arange(order.size), 0))
        sat = np.empty(order.size, np.int32)
        sat[order] = who[last]
        ends = np.cumsum(np.bincount(seat, minlength=SEATS) + 1) - 1
        self._seats = who[last][ends]
        return sat[SEATS:]

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

    def _prompts(self, n: int, reuse: float) -> Numbers:
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


def bot_names(scenario: Scenario) -> dict[int, list[str]]:
    """The names of the voters of each event with bots, by its number."""
    return {
        number: [f"bot-{number}-{voter:x}" for voter in range(event.voters)]
        for number, event in enumerate(scenario.events)
        if isinstance(event, Bots)
    }


def _others(scenario: Scenario) -> list[str]:
    """Voters besides the people, each once: those of floods first."""
    named = [event.voter for event in scenario.events if isinstance(event, Flood)]
    named += [event.voter for event in scenario.events if isinstance(event, Invent) and event.voter]
    return list(dict.fromkeys([*named, *(name for names in bot_names(scenario).values() for name in names)]))
