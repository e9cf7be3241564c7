"""Maps the columns of a file of snapshots to fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.sources import SourceError
from services.sources.table import FILE_DATE

ALIASES: dict[str, tuple[str, ...]] = {
    "date": (
        "date",
        "snapshot_date",
        "last_updated",
        "publish_date",
        "leaderboard_publish_date",
        "snapshot",
        "timestamp",
        "tstamp",
        "day",
        "last_update",
        "scraped_at",
        FILE_DATE,
    ),
    "model": ("model", "model_name", "key", "model_key", "name"),
    "provider": ("organization", "organisation", "provider", "org", "vendor"),
    "license": ("license", "licence", "license_type"),
    "votes": ("votes", "vote_count", "num_battles", "votes_count", "number_of_votes", "num_votes", "battles"),
    "board": ("board", "leaderboard", "arena", "subset"),
    "category": ("category",),
    "rank": ("rank", "rank_ub", "rank (ub)", "ranking"),
    "score": ("arena_score", "score", "rating", "arena score", "arena_elo", "elo"),
    "lower": ("lower", "rating_q025", "rating_lower", "ci_lower", "score_lower", "score_ci_lower", "rating_ci_lower"),
    "upper": ("upper", "rating_q975", "rating_upper", "ci_upper", "score_upper", "score_ci_upper", "rating_ci_upper"),
    "interval": ("ci95", "95% ci", "ci", "confidence_interval", "interval"),
}
"""Field to the columns that may hold it; the first one found is used, and case is ignored.

Agent boards count steps (`observation_count`) and sessions (`session_count`). Neither is a vote between two models, so
neither column is read unless the user names it.
"""

NEEDED = ("date", "model")

STANDING = ("votes", "score", "rank")
"""A file needs at least one of these. Without votes, an audit reports listings only, never exposure."""

EVENTS = ("event", "event_type", "event_name", "action", "change_type")
"""Columns of files whose rows are events. Such files lack the days on which a model is on the board without events."""

PAIRS = ({"model_a", "model_b"}, {"model_1", "model_2"}, {"model_left", "model_right"}, {"left", "right"})
"""Columns that only a file of votes has."""


def find_columns(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Field to column, for the fields that the file has.

    Parameters
    ----------
    found
        Names of the file's columns.
    chosen
        The user's field to column; overrides aliases, and an empty column switches the field off.

    Raises
    ------
    SourceError
        When `chosen` names a field or column that does not exist.

    >>> find_columns(["Publish_Date", "model_name", "vote_count"])
    {'date': 'Publish_Date', 'model': 'model_name', 'votes': 'vote_count'}
    """
    names = {name.strip().casefold(): name for name in reversed(found)}
    taken: dict[str, str] = {}
    for field, column in (chosen or {}).items():
        if field not in ALIASES:
            raise SourceError(f"columns: {field!r} is not a field of a snapshot; the fields are {', '.join(ALIASES)}")
        if column.strip() and column.strip().casefold() not in names:
            raise SourceError(f"columns: there is no column {column!r} for {field}; found: {', '.join(found)}")
        taken[field] = names[column.strip().casefold()] if column.strip() else ""
    for field, aliases in ALIASES.items():
        free = next((names[each] for each in aliases if each in names and names[each] not in taken.values()), None)
        if field not in taken and free is not None:
            taken[field] = free
    return {field: taken[field] for field in ALIASES if taken.get(field)}


def is_snapshots(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> bool:
    """Whether these are columns of snapshots: date, model, and votes, score or rank, but no pair of models."""
    names = {name.strip().casefold() for name in found}
    if any(pair <= names for pair in PAIRS) or {"model_a", "model_b"} & {*(chosen or {})}:
        return False
    try:
        taken = find_columns(found, chosen)
    except SourceError:
        return False
    return all(field in taken for field in NEEDED) and any(field in taken for field in STANDING)


def need_columns(found: Sequence[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """`find_columns`, but raises `SourceError` if a required column is missing or the rows are events."""
    events = [name for name in found if name.strip().casefold() in EVENTS]
    if events:
        raise SourceError(
            f"the column {events[0]!r} says that each row is an event. An audit needs snapshots: every model of the"
            " board, on each date"
        )
    taken = find_columns(found, chosen)
    missing = [field for field in NEEDED if field not in taken]
    if missing or not any(field in taken for field in STANDING):
        wanted = " and ".join(f"{field} ({', '.join(ALIASES[field][:4])}, …)" for field in missing or STANDING[:1])
        raise SourceError(
            f"no column for {wanted}; found: {', '.join(map(repr, found)) or 'none'}. Name it: --columns"
            f" {(missing or STANDING)[0]}=NAME"
        )
    return taken


def unused(found: Sequence[str], taken: Mapping[str, str]) -> list[str]:
    """Columns that are not read."""
    return [name for name in found if name not in taken.values()]
