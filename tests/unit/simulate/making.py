"""Scenarios for the tests, and what came of playing them."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.simulate import Truth, read_scenario, simulate
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows

HEAD = 'name = "made"\nabout = "For a test"\n'
TEN = '\n[[models]]\nname = "m"\ncount = 10\nprovider = "lab"\nproviders = 2\n'


@dataclass
class Played:
    """Everything that a simulation gave; `columns` are those of all rows together."""

    records: list[Block | Notice]
    truth: Truth
    drawn: int

    @property
    def blocks(self) -> list[Rows]:
        return [record.rows for record in self.records if isinstance(record, Block)]

    @property
    def notices(self) -> list[tuple[int, Notice]]:
        """Notices, each with the rows before it."""
        rows, found = 0, []
        for record in self.records:
            if isinstance(record, Block):
                rows += len(record.rows)
            else:
                found.append((rows, record))
        return found

    def column(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(rows, name) for rows in self.blocks])

    def shown(self, model: str, since: int = 0, until: int | None = None) -> float:
        """Share of the battles of these rows that a model takes part in."""
        code = self.blocks[0].models.index(model)
        rows = slice(since, until)
        return float(((self.column("model_a")[rows] == code) | (self.column("model_b")[rows] == code)).mean())

    def notices_of(self, model: str) -> list[tuple[int, Notice]]:
        return [(rows, notice) for rows, notice in self.notices if notice.name == model]


def play(text: str, seed: int = 0, battles: int | None = None, **options: int) -> Played:
    """Play a scenario written as what follows its name."""
    simulation = simulate(read_scenario(HEAD + text), seed, battles, **options)
    records = list(simulation)
    return Played(records, simulation.truth, simulation.drawn)


def event(kind: str, at: int, **keys: Any) -> str:
    """An event as TOML."""
    lines = [f"{key} = {_value(value)}" for key, value in {"kind": kind, "at": at, **keys}.items()]
    return "\n[[events]]\n" + "\n".join(lines) + "\n"


def _value(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)
