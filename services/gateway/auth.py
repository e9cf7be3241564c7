"""Checks who may send what: bearer key, arena, rate, budgets and quarantine."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from starlette.requests import Request

from services.gateway.budget import Budget
from services.gateway.quarantine import Quarantine
from services.http.api_keys import Key
from services.http.bearer import BearerGate, check_rate
from services.http.errors import Refusal, Refused, retry_after
from services.http.rate_limit import Limiter
from streams.contracts.metrics import Metrics
from streams.contracts.reasons import Reason
from streams.contracts.setting_groups import GatewaySettings

log = logging.getLogger(__name__)

OF_THE_KEY = frozenset({Reason.TOO_MANY_ARENAS, Reason.TOO_MANY_NAMES})
"""They do not count towards quarantine: it is no fault of the votes themselves."""


class Gate:
    """The checks of one process. Counts are per process, so several gateways each grant the full limits."""

    def __init__(self, settings: GatewaySettings, metrics: Metrics) -> None:
        self._bearer = BearerGate(settings.api_keys_file, self._keep)
        self._limiter = Limiter(settings.rate_limit, settings.rate_burst)
        self._quarantine = Quarantine(settings.quarantine_share, settings.quarantine_items)
        self._arenas = Budget[str](settings.key_arenas)
        self._models = Budget[tuple[str, str]](settings.key_models)
        self._names = Budget[tuple[str, str]](settings.key_names)
        self._names_refused = metrics.key_names_refused
        self._quarantined, self._refusals = metrics.key_quarantined, metrics.quarantine_refusals
        self._key_arenas = metrics.key_arenas

    def enter(self, request: Request) -> Key:
        """Find the key of a request, before the body is read.

        Raises `Refused` if the key is unknown, in quarantine or over its rate.
        """
        now = time.monotonic()
        key = self._bearer.enter(request, now)
        if left := self._quarantine.left(key.name, now):
            self._refusals.labels(key.name).inc()
            why = f"key {key.name!r}: {self._quarantine.why(key.name)}; its requests are accepted again in {left:.0f} s"
            raise Refused(Refusal.KEY_QUARANTINED, why, retry_after(left))
        check_rate(self._limiter.wait(key.name, now), _too_many(key))
        return key

    def spend(self, key: Key, votes: int) -> None:
        """Take `votes` tokens from the key's rate limit; raises `Refused` if the key has too few."""
        check_rate(self._limiter.take(key.name, votes, time.monotonic()), _too_many(key))

    def charge(self, key: Key, votes: int) -> None:
        """Take `votes` tokens from the key's rate limit, even into debt; never refuses."""
        self._limiter.charge(key.name, votes, time.monotonic())

    def note(self, key: Key, sent: int, refused: int = 0, why: str = "") -> None:
        """Count items, and those refused because of their content: too many of these put the key in quarantine."""
        now = time.monotonic()
        if self._quarantine.note(key.name, sent, refused, why, now):
            left = self._quarantine.left(key.name, now)
            log.warning("key %s is quarantined for %.0f s: %s", key.name, left, self._quarantine.why(key.name))

    def note_refused(self, key: Key, refused: Refused, items: int) -> None:
        """Count items that were refused together, if their content was the reason."""
        if refused.reason in OF_THE_KEY:
            return
        if isinstance(refused.reason, Reason) or refused.reason is Refusal.FORBIDDEN:
            self.note(key, items, items, str(refused))

    def arena(self, key: Key, arena: str, where: str = "") -> None:
        """Check that the key may write to the arena; raises `Refused`."""
        if not key.may_write(arena):
            raise Refused(Refusal.FORBIDDEN, f"{where}key {key.name!r} may not write to arena {arena!r}")

    def beyond(self, key: Key, arenas: Iterable[str]) -> set[str]:
        """Arenas beyond the daily budget of a key that is for all arenas; the others are counted as used."""
        return set() if key.arenas is not None else self._arenas.use_all(key.name, arenas, time.monotonic())

    def too_many_arenas(self, key: Key, arena: str) -> str:
        """Message for a person: why an arena is beyond the key's budget."""
        return (
            f"ISONOMY_KEY_ARENAS lets key {key.name!r} write to {self._arenas.most} arenas a day, and {arena!r} would"
            " be one more: name arenas in the key's line"
        )

    def unnamed(self, key: Key, arena: str, names: Iterable[str]) -> set[str]:
        """Names of models beyond the daily budget of the key in votes of this arena; the others are counted as used."""
        return self._names.use_all((key.name, arena), names, time.monotonic())

    def refuse_names(self, key: Key, votes: int) -> None:
        """Count votes that were rejected for their names."""
        self._names_refused.labels(key.name).inc(votes)

    def too_many_names(self, key: Key, arena: str, names: Iterable[str]) -> str:
        """Message for a person: why a vote on models of these names is beyond the key's budget."""
        return (
            f"ISONOMY_KEY_NAMES lets votes of key {key.name!r} name {self._names.most:,} different models of arena"
            f" {arena!r} a day, and {' and '.join(map(repr, names))} would be more"
        )

    def model(self, key: Key, arena: str, model: str) -> None:
        """Count a declared or removed model; raises `Refused` if the arena or the model is beyond the key's budget."""
        if self.beyond(key, [arena]):
            raise Refused(Reason.TOO_MANY_ARENAS, self.too_many_arenas(key, arena))
        if wait := self._models.use((key.name, arena), model, time.monotonic()):
            detail = (
                f"ISONOMY_KEY_MODELS lets key {key.name!r} declare or remove {self._models.most} different models of"
                f" arena {arena!r} a day: wait {wait:.0f} s"
            )
            raise Refused(Refusal.TOO_MANY_MODELS, detail, retry_after(wait))

    def measure(self) -> None:
        """Set the gauges of the keys that have sent something and are still in the key file."""
        now = time.monotonic()
        self._quarantined.clear()
        for name in self._quarantine.of:
            self._quarantined.labels(name).set(self._quarantine.left(name, now) > 0)
        self._key_arenas.clear()
        for name in self._arenas.used:
            self._key_arenas.labels(name).set(self._arenas.count(name, now))

    def _keep(self, names: frozenset[str]) -> None:
        """Forget the keys that are no longer in the key file."""
        for name in self._quarantine.of.keys() - names:
            self._refusals.remove(name)
            self._names_refused.remove(name)
        self._limiter.keep(names)
        self._quarantine.keep(names)
        self._arenas.keep(names.__contains__)
        self._models.keep(lambda holder: holder[0] in names)
        self._names.keep(lambda holder: holder[0] in names)


def _too_many(key: Key) -> str:
    return f"key {key.name!r} has sent too many votes"
