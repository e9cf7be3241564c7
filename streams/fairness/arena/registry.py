"""The subjects of an arena: models, providers and licence classes with their numbers, and their declarations."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Subject
from streams.contracts.model import Model
from streams.fairness.arena.ledger_position import Moment

EVER = 4
"""A flood of invented names makes room again after a window, up to this many times the limit in all."""


def sampled(model: Model | None) -> bool:
    """Return whether a model can be drawn: a deprecated model can, a retired one or one of weight 0 cannot."""
    return model is not None and model.status != "retired" and model.weight > 0


class Tenure(msgspec.Struct):
    """History of one model's declarations so far.

    `deprecated_at` is the time of the deprecation notice in force. `left_at` and `left_row` are the time and row of the
    notice that ended sampling (None and -1 while the model is sampled or never was). `noticed` is whether that end was
    announced at least `notice_days` before.
    """

    since_row: int
    was_public: bool = False
    was_private: bool = False
    deprecated_at: float | None = None
    left_at: float | None = None
    left_row: int = -1
    noticed: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one model's declaration, and its place in the ledger."""

    name: str
    number: int
    before: Model | None
    after: Model | None
    tenure: Tenure
    now: Moment

    @property
    def leaves(self) -> bool:
        """Whether the model stops being drawn here."""
        return sampled(self.before) and not sampled(self.after)

    @property
    def joins(self) -> bool:
        """Whether the model starts being drawn here."""
        return sampled(self.after) and not sampled(self.before)


@dataclass(slots=True)
class Roster:
    """Subjects in order of first appearance; models, providers and classes share one numbering, so one array holds all.

    Attributes
    ----------
    subjects
        The subject of each number.
    models, providers, licenses
        Number of each name.
    registry
        Current declarations; `known` holds the last declaration of every model ever declared.
    undeclared
        Number of models that got a number from battles before any declaration.
    followed
        Those of them that count against the limit: never declared, and in a battle within the last window.
    """

    subjects: list[Subject] = field(default_factory=list)
    models: dict[str, int] = field(default_factory=dict)
    providers: dict[str, int] = field(default_factory=dict)
    licenses: dict[str, int] = field(default_factory=dict)
    registry: dict[str, Model] = field(default_factory=dict)
    known: dict[str, Model] = field(default_factory=dict)
    tenures: dict[str, Tenure] = field(default_factory=dict)
    undeclared: int = 0
    followed: int = 0

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def began(self) -> int | None:
        """Battles before the first notice; None before it."""
        return min((tenure.since_row for tenure in self.tenures.values()), default=None)

    @property
    def public(self) -> int:
        """Number of models that were public at some time."""
        return sum(tenure.was_public for tenure in self.tenures.values())

    @property
    def private(self) -> int:
        """Number of models that were private at some time."""
        return sum(tenure.was_private for tenure in self.tenures.values())

    def model(self, name: str) -> int:
        """Return the number of a model; assign one if it is new."""
        return self._number(self.models, name, Subject(model=name))

    def follow(self, names: list[str], codes: NDArray[np.int32], limit: int) -> NDArray[np.int64]:
        """Return the number of each word of a block's dictionary, -1 for undeclared names beyond the limit.

        New names are numbered in the order in which `codes`, the rows, use them, so block boundaries do not matter. A
        number is kept for ever, so at most `EVER` times the limit are given, whatever is forgotten meanwhile.
        """
        numbers = np.array([self.models.get(name, -1) for name in names], np.int64)
        if numbers.min(initial=0) < 0 and self.followed < limit and self.undeclared < EVER * limit:
            for word in dict.fromkeys(codes[numbers[codes] < 0].tolist()):
                if self.followed < limit and self.undeclared < EVER * limit:
                    self.undeclared += 1
                    self.followed += 1
                    numbers[word] = self.model(names[word])
        return numbers

    def forget(self, seen: NDArray[np.int64]) -> None:
        """Let names that nobody declared, and that were in no battle of `seen`, int64[S], make room for others."""
        self.followed = sum(name not in self.known and bool(seen[number]) for name, number in self.models.items())

    def declare(self, name: str, model: Model | None, now: Moment, notice_days: float) -> Change:
        """Apply a notice; `model` None removes the name from the registry."""
        number, before = self.model(name), self.registry.get(name)
        tenure = self.tenures.get(name)
        if tenure is None:
            tenure = self.tenures[name] = Tenure(now.row)
        change = Change(name, number, before, model, tenure, now)
        if model is None:
            self.registry.pop(name, None)
        else:
            self._number(self.providers, model.provider, Subject(provider=model.provider))
            self._number(self.licenses, model.license, Subject(license=model.license))
            if model.status == "deprecated" and (before is None or before.status != "deprecated"):
                # Only the first record of a model may backdate the deprecation, for a registry that starts within a
                # notice period. If later records could, every missed notice could be dated back.
                first = name not in self.known and model.announced_at is not None
                tenure.deprecated_at = min(model.announced_at or 0.0, now.time) if first else now.time
            elif model.status == "active":
                tenure.deprecated_at = None
            tenure.was_public |= model.visibility == "public"
            tenure.was_private |= model.visibility == "private"
            self.registry[name] = self.known[name] = model
        if change.leaves:
            tenure.left_at, tenure.left_row = now.time, now.row
            since = tenure.deprecated_at
            tenure.noticed = since is not None and now.time - since >= notice_days * 86_400
        elif sampled(model):
            tenure.left_at, tenure.left_row, tenure.noticed = None, -1, True
        return change

    def _number(self, numbers: dict[str, int], name: str, subject: Subject) -> int:
        if name not in numbers:
            numbers[name] = len(self.subjects)
            self.subjects.append(subject)
        return numbers[name]
