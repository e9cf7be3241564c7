"""Turn ledger records into topic records: JSON in the shape of the contracts, with the scenario's faults."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.simulate.rehearsal import World
from services.simulate.scenario import FaultsSection
from services.simulate.seeds import SeedStream, random_of
from streams.contracts.model import model_key
from streams.contracts.vote import WINNER_NAMES
from streams.ledger.codec import Block, Notice
from streams.ledger.refused import Refused
from streams.ledger.rows import Codes

UNKNOWN = "left"
"""The winner of a vote that intake refuses."""
LATE = 5_000
"""A repeated record comes at most this many records after the original."""
GARBAGE = ("no winner", "winner", "same model", "tstamp", "arena", "key")
"""The faults of garbage records, used in turn; every garbage record is valid JSON."""

_quote = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class VoteRecords:
    """Records of the votes topic, in order; `values` are JSON texts."""

    keys: list[str]
    values: list[str]


class Recorder:
    """Writes the records of one simulation.

    Ids are derived from scenario, arena, seed and start: intake drops the same simulation, sent again, as duplicates,
    but not a different simulation.
    """

    def __init__(self, world: World, start: float) -> None:
        meaning = msgspec.json.encode((world.scenario, world.arena, world.seed, start))
        self._prefix = f"sim-{hashlib.sha256(meaning).hexdigest()[:12]}-"
        self._faults = world.scenario.faults
        self._random = random_of(world.seed, SeedStream.FAULTS)
        self._garbage = 0

    def votes(self, block: Block) -> VoteRecords:
        """Return the records of a block; offsets make the ids, so all rows must come from one partition."""
        rows = block.rows
        n = len(rows)
        models = [_json(name) for name in rows.models]
        arena = f'"arena":{_json(block.arena)},"model_a":'
        tail = [
            "".join(parts)
            for parts in zip(
                _pieces("language", rows.language, rows.languages, n),
                _pieces("categories", rows.categories, rows.category_sets, n),
                _pieces("voter", rows.voter, rows.voters, n),
                _pieces("prompt_hash", rows.prompt, rows.prompts, n),
                _pieces("battle", rows.battle, rows.battles, n),
                [""] * n if rows.p_pair is None else [f',"p_pair":{chance}' for chance in rows.p_pair.tolist()],
                _drawn(rows.drawn_at, n),
                strict=True,
            )
        ]
        keys = [f"{self._prefix}{offset}" for offset in rows.offset.tolist()]
        values = [
            f'{{"id":"{key}",{arena}{models[a]},"model_b":{models[b]},"winner":"{WINNER_NAMES[winner]}","tstamp":{time}{more}}}'
            for key, a, b, winner, time, more in zip(
                keys,
                rows.model_a.tolist(),
                rows.model_b.tolist(),
                rows.winner.tolist(),
                rows.tstamp.tolist(),
                tail,
                strict=True,
            )
        ]
        if block.refused is not None:
            keys, values = self._with_refused(block, block.refused, keys, values)
        return self._spoil(VoteRecords(keys, values), self._faults)

    def _with_refused(
        self, block: Block, refused: Refused, keys: list[str], values: list[str]
    ) -> tuple[list[str], list[str]]:
        """Put the votes that intake refuses at their places, with the time of the row before."""
        models, times = [_json(name) for name in refused.models], np.append(0.0, block.rows.tstamp)
        more = [f"{self._prefix}{offset}" for offset in refused.offset.tolist()]
        bad = [
            f'{{"id":"{key}","arena":{_json(block.arena)},"model_a":{models[a]},"model_b":{models[b]},'
            f'"winner":"{UNKNOWN}","tstamp":{time}}}'
            for key, a, b, time in zip(
                more, refused.model_a.tolist(), refused.model_b.tolist(), times[refused.place].tolist(), strict=True
            )
        ]
        order = np.argsort(np.append(np.arange(len(keys)) + 0.5, refused.place), kind="stable").tolist()
        keys, values = keys + more, values + bad
        return [keys[at] for at in order], [values[at] for at in order]

    @staticmethod
    def model(notice: Notice) -> tuple[str, str | None]:
        """Return key and JSON of a notice's record; None is a tombstone."""
        key = model_key(notice.arena, notice.name).decode()
        return key, None if notice.model is None else _json(notice.model)

    def _spoil(self, records: VoteRecords, faults: FaultsSection) -> VoteRecords:
        n = len(records.keys)
        repeated = np.flatnonzero(self._random.random(n) < faults.duplicates) if faults.duplicates else np.zeros(0, int)
        spoiled = np.flatnonzero(self._random.random(n) < faults.garbage) if faults.garbage else np.zeros(0, int)
        if not repeated.size and not spoiled.size:
            return records
        later = repeated + 0.5 + (self._random.random(repeated.size) * np.minimum(n - repeated, LATE)).astype(int)
        order = np.argsort(np.concatenate([np.arange(n), later, spoiled + 0.25]), kind="stable").tolist()
        bad = [self._garble(records.values[at]) for at in spoiled.tolist()]
        keys = records.keys + [records.keys[at] for at in repeated.tolist()] + [key for key, _ in bad]
        values = records.values + [records.values[at] for at in repeated.tolist()] + [value for _, value in bad]
        return VoteRecords([keys[at] for at in order], [values[at] for at in order])

    def _garble(self, value: str) -> tuple[str, str]:
        vote: dict[str, object] = msgspec.json.decode(value)
        fault = GARBAGE[self._garbage % len(GARBAGE)]
        key = vote["id"] = f"{self._prefix}g{self._garbage}"
        self._garbage += 1
        if fault == "no winner":
            del vote["winner"]
        elif fault == "same model":
            vote["model_b"] = vote["model_a"]
        elif fault == "key":
            key += "-other"
        else:
            vote[fault] = {"winner": "left", "tstamp": "yesterday", "arena": "No Arena"}[fault]
        return key, _json(vote)


def _pieces(field: str, codes: Codes | None, words: Sequence[object], n: int) -> list[str]:
    """Return `,"field":word` for each row, an empty string where the word is empty."""
    if codes is None:
        return [""] * n
    used, places = np.unique(codes, return_inverse=True)
    pieces = [f',"{field}":{_json(words[code])}' if words[code] else "" for code in used.tolist()]
    return list(map(pieces.__getitem__, places.tolist()))


def _drawn(drawn_at: NDArray[np.float64] | None, n: int) -> list[str]:
    """Return `,"drawn_at":seconds` for each row, an empty string where it is absent."""
    if drawn_at is None:
        return [""] * n
    return ["" if time != time else f',"drawn_at":{time}' for time in drawn_at.tolist()]  # NaN differs from itself


def _json(value: object) -> str:
    return _quote(value).decode()
