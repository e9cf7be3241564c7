"""The columns of exported boards, votes and ledgers, with their types; `docs/export.md` explains each one."""

from __future__ import annotations

import polars as pl

from streams.contracts.vote import STYLE_FIELDS

OFFICIAL: dict[str, pl.DataType] = {
    "model_name": pl.String(),
    "organization": pl.String(),
    "license": pl.String(),
    "rating": pl.Float64(),
    "rating_lower": pl.Float64(),
    "rating_upper": pl.Float64(),
    "variance": pl.Float64(),
    "vote_count": pl.Int64(),
    "rank": pl.Int64(),
    "category": pl.String(),
    "leaderboard_publish_date": pl.String(),
}
"""Columns of a board; the names are those of `official.OfficialRow`."""

VOTES: dict[str, pl.DataType] = {
    "arena": pl.String(),
    "model_a": pl.String(),
    "model_b": pl.String(),
    "winner": pl.String(),
    "tstamp": pl.Float64(),
    "language": pl.String(),
    "categories": pl.List(pl.String()),
    "voter": pl.String(),
    "prompt_hash": pl.String(),
    "battle": pl.String(),
    "p_pair": pl.Float64(),
    "drawn_at": pl.Float64(),
    "style": pl.Struct(dict.fromkeys(STYLE_FIELDS, pl.Int32())),
    "recorded_at": pl.Datetime("ms", "UTC"),
    "votes_partition": pl.Int32(),
    "votes_offset": pl.Int64(),
}
"""Columns of a vote: its fields as the arena sent them, and its partition and offset in the topic `votes`."""

LEDGER: dict[str, pl.DataType] = {
    "ledger_partition": pl.Int32(),
    "ledger_offset": pl.Int64(),
    "kind": pl.String(),
    **VOTES,
    "model": pl.String(),
    "provider": pl.String(),
    "license": pl.String(),
    "visibility": pl.String(),
    "status": pl.String(),
    "weight": pl.Float64(),
    "family": pl.String(),
    "announced_at": pl.Float64(),
    "reason": pl.String(),
}
"""Columns of a ledger row: a vote or a change of the registry, with its partition and offset in the ledger."""
