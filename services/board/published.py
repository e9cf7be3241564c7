"""As much of the published views as becomes Prometheus series; read from the bytes that Redis holds. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import msgspec

from services.board.cache import UNREADABLE
from streams.contracts.alert import Alert, Kind
from streams.contracts.view import Board


class Published(NamedTuple):
    """What is published of one arena: JSON as in Redis, `None` where there is nothing (docs/contracts/redis.md).

    `board` is the overall one, `unreadable` how many of its views Redis shows in a form that could not be taken in.
    """

    arena: str
    board: bytes | None
    fairness: bytes | None
    alerts: bytes | None
    unreadable: int = 0


class JudgedModel(msgspec.Struct):
    """A line of the fairness view; null is what nobody could know, and makes no series."""

    model: str
    provider: str | None
    license: str | None
    state: str
    declared_share_of_battles: float | None
    share_of_battles: float | None
    battles: int
    log10_e: float | None
    log10_e_removal: float | None


class Group(msgspec.Struct):
    """A provider or licence class."""

    name: str
    declared_share_of_battles: float | None
    share_of_battles: float | None
    log10_e: float | None


class Levels(msgspec.Struct):
    """What it takes to be told."""

    log10_warning: float
    log10_page: float


class Policy(msgspec.Struct):
    """The policy as a whole."""

    log10_e: float | None
    log10_e_max: float | None


class Inequality(msgspec.Struct):
    """Of the providers' shares."""

    gini: float | None
    hhi: float | None


class Detector(msgspec.Struct):
    """Whether the detector of a kind judges now."""

    kind: Kind
    judged: bool


class Fairness(msgspec.Struct):
    """The fairness view; `judged` is empty where a worker published it that does not say."""

    declares: bool
    outage: bool
    levels: Levels | None
    policy: Policy | None
    counts: dict[str, int | None]
    removals: list[str] | None
    models: list[JudgedModel]
    providers: list[Group]
    licenses: list[Group]
    inequality: Inequality
    judged: list[Detector] = []


class Firing(msgspec.Struct):
    """The alerts that fire."""

    alerts: list[Alert]


class Known(msgspec.Struct):
    """One arena, decoded; `unreadable` counts views that a worker of another version wrote."""

    arena: str
    board: Board | None
    fairness: Fairness | None
    alerts: list[Alert] | None
    unreadable: int = 0


T = TypeVar("T")
_board, _fairness = msgspec.json.Decoder(Board), msgspec.json.Decoder(Fairness)
_firing = msgspec.json.Decoder(Firing)


def read(published: Published) -> Known:
    """Decode what is published; what cannot be read is counted and left out."""
    known = Known(published.arena, None, None, None, published.unreadable)

    def decoded(decoder: msgspec.json.Decoder[T], text: bytes | None) -> T | None:
        if text is None:
            return None
        try:
            return decoder.decode(text)
        except UNREADABLE:
            known.unreadable += 1
            return None

    known.board = decoded(_board, published.board)
    known.fairness = decoded(_fairness, published.fairness)
    firing = decoded(_firing, published.alerts)
    known.alerts = firing.alerts if firing else None
    return known
