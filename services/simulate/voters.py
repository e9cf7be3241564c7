"""The crowd: voters, prompts, languages and categories of battles, as dictionary-coded columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.simulate.conditions import Conditions
from services.simulate.sampler import Codes
from services.simulate.scenario import Scenario
from services.simulate.seeds import SeedStream, random_of


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
