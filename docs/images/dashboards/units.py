"""Numbers as Grafana writes them, for the units that the dashboards use."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_SHORT = ((1e9, "Bil"), (1e6, "Mil"), (1e3, "K"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def written(value: float, unit: str = "short", decimals: float | None = None) -> str:
    """Write a number in its unit.

    >>> written(1500, "cps"), written(0.0123, "percentunit", 2), written(0.25, "s"), written(5400, "s")
    ('1.5 Kc/s', '1.23%', '250 ms', '1.5 h')
    >>> written(3 * 2**20, "bytes"), written(1203.4, "none", 1), written(math.nan)
    ('3 MiB', '1203.4', '–')
    >>> written(1_767_225_600_000, "dateTimeAsIso")
    '2026-01-01 00:00:00'
    """
    if not math.isfinite(value):
        return "–"
    if unit == "dateTimeAsIso":
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    if unit == "percentunit":
        return f"{_digits(100 * value, decimals)}%"
    if unit == "locale":
        return f"{value:,.{int(decimals or 0)}f}"
    if unit == "s":
        return _seconds(value, decimals)
    if unit == "bytes":
        return _scaled(value, _BYTES, " ", decimals) or f"{_digits(value, decimals)} B"
    after = {"cps": " c/s", "reqps": " req/s"}.get(unit, "")
    if unit in ("short", "cps", "reqps"):
        large = _scaled(value, _SHORT, " ", decimals)
        if large is not None:
            return large + after.strip() if after else large
    return _digits(value, decimals) + after


def scale_of(most: float, unit: str) -> float:
    """How large the unit is in which numbers up to `most` are written.

    >>> scale_of(5000, "bytes"), scale_of(200, "s"), scale_of(5000, "short")
    (1024, 60, 1.0)
    """
    scales = {"bytes": _BYTES, "s": _SECONDS}.get(unit, ())
    return next((size for size, _ in scales if most >= size), 1.0)


def _seconds(value: float, decimals: float | None) -> str:
    if abs(value) >= 60:
        return _scaled(value, _SECONDS, " ", None) or ""
    if 0 < abs(value) < 1:
        return f"{_digits(1000 * value, None)} ms"
    return f"{_digits(value, decimals)} s"


def _scaled(value: float, scales: tuple[tuple[float, str], ...], space: str, decimals: float | None) -> str | None:
    for size, word in scales:
        if abs(value) >= size:
            return f"{_digits(value / size, decimals)}{space}{word}"
    return None


def _digits(value: float, decimals: float | None) -> str:
    """Three digits that matter, or as many decimals as are asked for."""
    if decimals is not None:
        return f"{value:.{int(decimals)}f}"
    if value == 0 or abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
