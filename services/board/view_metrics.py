"""The published views as Prometheus series, made at each scrape.

    registry.register(PublishedSeries(views))

Names and meaning are in `streams/contracts/published_series.py`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.board.cache import UNREADABLE, Views
from streams.contracts import published_series as series
from streams.contracts.alert import Alert, Kind, Severity
from streams.contracts.published_series import PUBLISHED_SERIES, Series
from streams.contracts.view import OVERALL, Board

_GRAVEST_FIRST = {severity: -number for number, severity in enumerate(Severity)}


class Published(NamedTuple):
    """Published views of one arena: JSON as in Redis, `None` where there is none (docs/contracts/redis.md).

    `board` is the overall one; `unreadable` counts the views that Redis holds in a form that could not be read.
    """

    arena: str
    board: bytes | None
    fairness: bytes | None
    alerts: bytes | None
    unreadable: int = 0


class PublishedModel(msgspec.Struct):
    """A line of the fairness view; null is an unknown value, and makes no series."""

    model: str
    provider: str | None
    license: str | None
    state: str
    declared_share_of_battles: float | None
    share_of_battles: float | None
    battles: int
    log10_e: float | None
    log10_e_removal: float | None


class PublishedGroup(msgspec.Struct):
    """A provider or licence class."""

    name: str
    declared_share_of_battles: float | None
    share_of_battles: float | None
    log10_e: float | None


class PublishedLevels(msgspec.Struct):
    """Evidence from which a warning and a page are raised, log10."""

    log10_warning: float
    log10_page: float


class PublishedPolicy(msgspec.Struct):
    """The policy as a whole."""

    log10_e: float | None
    log10_e_max: float | None


class PublishedInequality(msgspec.Struct):
    """Inequality of the providers' shares."""

    gini: float | None
    hhi: float | None


class PublishedDetector(msgspec.Struct):
    """Whether the detector of a kind judges now."""

    kind: Kind
    judged: bool


class PublishedFairness(msgspec.Struct):
    """The fairness view; `judged` is empty where the worker's version does not publish it."""

    declares: bool
    outage: bool
    levels: PublishedLevels | None
    policy: PublishedPolicy | None
    counts: dict[str, int | None]
    removals: list[str] | None
    models: list[PublishedModel]
    providers: list[PublishedGroup]
    licenses: list[PublishedGroup]
    inequality: PublishedInequality
    judged: list[PublishedDetector] = []


class PublishedAlerts(msgspec.Struct):
    """The firing alerts."""

    alerts: list[Alert]


class DecodedViews(msgspec.Struct):
    """One arena, decoded; `unreadable` counts views that a worker of another version wrote."""

    arena: str
    board: Board | None
    fairness: PublishedFairness | None
    alerts: list[Alert] | None
    unreadable: int = 0


def published_of(views: Views) -> list[Published]:
    """Return the held views as they are in Redis; may be called from another thread."""
    return [
        Published(
            arena,
            board.document.body if (board := held.boards.get(OVERALL)) else None,
            held.fairness.document.body if held.fairness else None,
            held.alerts.document.body if held.alerts else None,
            len(held.unreadable),
        )
        for arena, held in list(views.arenas.items())
    ]


T = TypeVar("T")
_board_decoder, _fairness_decoder = msgspec.json.Decoder(Board), msgspec.json.Decoder(PublishedFairness)
_firing_decoder = msgspec.json.Decoder(PublishedAlerts)


def read(published: Published) -> DecodedViews:
    """Decode the published views; one that cannot be read is counted and left out."""
    known = DecodedViews(published.arena, None, None, None, published.unreadable)

    def decoded(decoder: msgspec.json.Decoder[T], text: bytes | None) -> T | None:
        if text is None:
            return None
        try:
            return decoder.decode(text)
        except UNREADABLE:
            known.unreadable += 1
            return None

    known.board = decoded(_board_decoder, published.board)
    known.fairness = decoded(_fairness_decoder, published.fairness)
    firing = decoded(_firing_decoder, published.alerts)
    known.alerts = firing.alerts if firing else None
    return known


class PublishedSeries(Collector):
    """A collector for a board's registry.

    Parameters
    ----------
    views
        Returns the published views, arena by arena; called at each scrape, in the thread that scrapes.
    most
        Models of one arena that have series of their own.
    """

    def __init__(self, views: Callable[[], Iterable[Published]], most: int = series.MOST_MODELS) -> None:
        self._views, self._most = views, most

    def describe(self) -> Iterable[Metric]:
        """Every family, without samples: registering reads no views."""
        return _Families().made()

    def collect(self) -> Iterable[Metric]:
        """Make the samples of every arena."""
        families = _Families()
        for published in sorted(self._views(), key=lambda view: view.arena):
            _arena(families, read(published), self._most)
        return families.made()


class _Families:
    """One metric family for each series, filled sample by sample."""

    def __init__(self) -> None:
        self._made = {each: _family(each) for each in PUBLISHED_SERIES}

    def add(self, which: Series, value: float | None, *labels: str) -> None:
        if value is None:  # unknown: omit the sample, because 0 would be wrong
            return
        # A view may hold a number beyond float64, which no worker writes; it must not hide the series of other arenas.
        self._made[which].add_metric(labels, value if abs(value) <= sys.float_info.max else math.nan)

    def made(self) -> Iterator[Metric]:
        return iter(self._made.values())


def _family(each: Series) -> CounterMetricFamily | GaugeMetricFamily:
    made = CounterMetricFamily if each.type == "counter" else GaugeMetricFamily
    return made(each.name, each.text, labels=each.labels)


def _arena(families: _Families, known: DecodedViews, most: int) -> None:
    arena = known.arena
    kept, models = shown_models(known, most)
    if known.board:
        _leaderboard(families, arena, known.board, kept)
    if known.fairness:
        _fairness(families, arena, known.fairness, kept)
    _info(families, known, kept)
    left: dict[str, int | None] = {"models": None, "providers": None, "alerts": None}
    if known.board or known.fairness:
        left["models"] = models - len(kept)
    if known.fairness:
        left["providers"] = max(0, len(known.fairness.providers) - series.MOST_GROUPS)
    if known.alerts is not None:
        _alerts(families, arena, known.alerts, known.fairness)
        left["alerts"] = max(0, len(known.alerts) - series.MOST_ALERTS)
    for what, number in left.items():
        families.add(series.LEFT_OUT, number, arena, what)
    families.add(series.UNREADABLE, known.unreadable, arena)


def shown_models(known: DecodedViews, most: int) -> tuple[set[str], int]:
    """Return which models have series, and how many models there are; those with evidence or a removal come first."""
    votes = {line.model: line.votes for line in known.board.models} if known.board else {}
    wronged: set[str] = set()
    if known.fairness:
        level = known.fairness.levels.log10_warning if known.fairness.levels else math.inf
        for line in known.fairness.models:
            votes.setdefault(line.model, 0)
            if max(line.log10_e or 0.0, line.log10_e_removal or 0.0) >= level or line.state == "removed":
                wronged.add(line.model)
    order = sorted(votes, key=lambda model: (model not in wronged, -votes[model], model))
    return set(order[:most]), len(order)


def _leaderboard(families: _Families, arena: str, board: Board, kept: set[str]) -> None:
    families.add(series.VOTES, board.votes, arena)
    families.add(series.BATTLES, board.battles, arena)
    if board.as_of is not None:
        families.add(series.AS_OF, board.as_of, arena)
    provisional = sum(line.provisional for line in board.models)
    families.add(series.STANDING, len(board.models) - provisional, arena, "ranked")
    families.add(series.STANDING, provisional, arena, "provisional")
    for line in board.models:
        if line.model not in kept:
            continue
        families.add(series.RATING, line.rating, arena, line.model)
        if line.lower is not None:
            families.add(series.LOWER, line.lower, arena, line.model)
        if line.upper is not None:
            families.add(series.UPPER, line.upper, arena, line.model)
        if line.rank is not None:
            families.add(series.RANK, line.rank, arena, line.model)
        families.add(series.MODEL_VOTES, line.votes, arena, line.model)
        families.add(series.MODEL_BATTLES, line.battles, arena, line.model)


def _fairness(families: _Families, arena: str, view: PublishedFairness, kept: set[str]) -> None:
    for line in view.models:
        if line.model not in kept:
            continue
        families.add(series.DECLARED, line.declared_share_of_battles, arena, line.model)
        families.add(series.OBSERVED, line.share_of_battles, arena, line.model)
        families.add(series.EVIDENCE, line.log10_e, arena, line.model)
        families.add(series.REMOVAL, line.log10_e_removal, arena, line.model)
        families.add(series.STATE, 1, arena, line.model, line.state)
    for group in view.providers[: series.MOST_GROUPS]:  # they are published largest first
        families.add(series.PROVIDER_DECLARED, group.declared_share_of_battles, arena, group.name)
        families.add(series.PROVIDER_OBSERVED, group.share_of_battles, arena, group.name)
        families.add(series.PROVIDER_EVIDENCE, group.log10_e, arena, group.name)
    for group in view.licenses:
        families.add(series.LICENSE_DECLARED, group.declared_share_of_battles, arena, group.name)
        families.add(series.LICENSE_OBSERVED, group.share_of_battles, arena, group.name)
        families.add(series.LICENSE_EVIDENCE, group.log10_e, arena, group.name)
    if view.levels:
        families.add(series.WARNING_LEVEL, view.levels.log10_warning, arena)
        families.add(series.PAGE_LEVEL, view.levels.log10_page, arena)
    if view.policy:
        families.add(series.POLICY, view.policy.log10_e, arena)
        families.add(series.POLICY_PEAK, view.policy.log10_e_max, arena)
    for state, number in view.counts.items():
        if state != "models":  # the number of all models
            families.add(series.COUNTS, number, arena, state)
    families.add(series.COUNTS, None if view.removals is None else len(view.removals), arena, "removed")
    families.add(series.GINI, view.inequality.gini, arena)
    families.add(series.HHI, view.inequality.hhi, arena)
    families.add(series.OUTAGE, view.outage, arena)
    families.add(series.DECLARES, view.declares, arena)
    for each in view.judged:
        families.add(series.JUDGED, each.judged, arena, each.kind.value)


def _info(families: _Families, known: DecodedViews, kept: set[str]) -> None:
    declared: dict[str, tuple[str | None, str | None]] = {}
    for line in [*(known.board.models if known.board else ()), *(known.fairness.models if known.fairness else ())]:
        if line.model in kept:
            declared[line.model] = (line.provider, line.license)
    for model, (provider, license_) in declared.items():
        families.add(series.INFO, 1, known.arena, model, provider or "", license_ or "")


def _alerts(families: _Families, arena: str, alerts: Sequence[Alert], view: PublishedFairness | None) -> None:
    judged = {each.kind for each in view.judged if each.judged} if view else set()
    count = {(kind, severity): 0 for kind in Kind if kind in judged for severity in Severity}
    for alert in alerts:
        count[alert.kind, alert.severity] = count.get((alert.kind, alert.severity), 0) + 1
    for (kind, severity), number in count.items():
        families.add(series.FIRING, number, arena, kind.value, severity.value)
    for alert in sorted(alerts, key=lambda alert: _GRAVEST_FIRST[alert.severity])[: series.MOST_ALERTS]:
        subject = alert.subject
        families.add(
            series.ONSET, alert.starts_at, arena, alert.kind.value, alert.severity.value, subject.field, subject.name
        )
