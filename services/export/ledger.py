"""Ledger records as tables: each vote once, in the ledger's order, with the fields that the arena sent. Pure."""

from __future__ import annotations

import polars as pl

from services.export.columns import LEDGER, VOTES
from streams.contracts.vote import STYLE_FIELDS, WINNER_NAMES
from streams.ledger.codec import Block, Notice
from streams.ledger.rows import Rows
from streams.ledger.watermark import Watermark, count_rows, is_new, unknown_rows


class Exported:
    """Turns ledger records into tables, one at a time.

    A crash of intake leaves some rows in the ledger twice; the folds' watermark rule drops the second copy here too.

    Attributes
    ----------
    votes, notices
        Votes exported, and notices read (exported only with `notices=True`).
    repeated
        Rows and notices dropped because an earlier ledger record has them.
    """

    def __init__(self, *, notices: bool) -> None:
        self._with_notices = notices
        self._watermarks: dict[str, Watermark] = {}
        self.votes = self.notices = self.repeated = 0

    @property
    def arenas(self) -> list[str]:
        """The arenas seen so far."""
        return sorted(self._watermarks)

    def take(self, record: Block | Notice, partition: int, offset: int) -> pl.DataFrame | None:
        """Return the table of a record, with the columns of `columns`; None if the record adds no row."""
        watermark = self._watermarks.setdefault(record.arena, {})
        if isinstance(record, Notice):
            if not is_new(record, watermark):
                self.repeated += 1
                return None
            self.notices += 1
            return _notice(record, partition, offset) if self._with_notices else None
        rows = unknown_rows(record, watermark)
        count_rows(record, watermark)
        self.repeated += len(record.rows) - len(rows)
        self.votes += len(rows)
        if not len(rows):
            return None
        table = _votes(rows, record.arena)
        if not self._with_notices:
            return table.select(*VOTES)
        place = [
            pl.lit(partition, pl.Int32).alias("ledger_partition"),
            pl.lit(offset, pl.Int64).alias("ledger_offset"),
            pl.lit("vote").alias("kind"),
        ]
        missing = [pl.lit(None, kind).alias(name) for name, kind in LEDGER.items() if name not in table.columns]
        return table.with_columns(missing).with_columns(place).select(*LEDGER)


def _votes(rows: Rows, arena: str) -> pl.DataFrame:
    models, winners = pl.Series(rows.models, dtype=pl.String), pl.Series(WINNER_NAMES)
    nothing: list[None] = [None] * len(rows)
    sets = [None if not words else list(words) for words in rows.category_sets]
    return pl.DataFrame(
        {
            "arena": pl.repeat(arena, len(rows), eager=True),
            "model_a": models.gather(rows.model_a),
            "model_b": models.gather(rows.model_b),
            "winner": winners.gather(rows.winner),
            "tstamp": rows.tstamp,
            "language": _words(rows.languages).gather(rows.language) if rows.language is not None else nothing,
            "categories": (
                pl.Series(sets, dtype=pl.List(pl.String)).gather(rows.categories)
                if rows.categories is not None
                else nothing
            ),
            "voter": _words(rows.voters).gather(rows.voter) if rows.voter is not None else nothing,
            "prompt_hash": _words(rows.prompts).gather(rows.prompt) if rows.prompt is not None else nothing,
            "battle": _words(rows.battles).gather(rows.battle) if rows.battle is not None else nothing,
            "p_pair": pl.Series(rows.p_pair).fill_nan(None) if rows.p_pair is not None else nothing,
            "drawn_at": pl.Series(rows.drawn_at).fill_nan(None) if rows.drawn_at is not None else nothing,
            "style": _style(rows) if rows.style is not None else nothing,
            "recorded_at": pl.Series(rows.recorded).cast(pl.Datetime("ms", "UTC")),
            "votes_partition": rows.partition,
            "votes_offset": rows.offset,
        },
        schema=VOTES,
    )


def _words(words: list[str]) -> pl.Series:
    """Turn a dictionary into a series; its first word means absent and becomes null."""
    return pl.Series([None, *words[1:]], dtype=pl.String)


def _style(rows: Rows) -> pl.Series:
    assert rows.style is not None  # noqa: S101 -- for the type checker: the caller has checked
    table = pl.DataFrame({name: rows.style[:, at] for at, name in enumerate(STYLE_FIELDS)})
    given = pl.Series(rows.style[:, 0] >= 0)
    return table.select(pl.when(given).then(pl.struct(STYLE_FIELDS)).otherwise(None).alias("style")).to_series()


def _notice(notice: Notice, partition: int, offset: int) -> pl.DataFrame:
    model = notice.model
    row: dict[str, str | float | None] = {
        "ledger_partition": partition,
        "ledger_offset": offset,
        "kind": "model" if model else "model_removed",
        "arena": notice.arena,
        "recorded_at": notice.recorded,
        "model": notice.name,
    }
    if model is not None:
        row |= {
            "provider": model.provider,
            "license": model.license,
            "visibility": model.visibility,
            "status": model.status,
            "weight": model.weight,
            "family": model.family,
            "announced_at": model.announced_at,
            "reason": model.reason,
            "tstamp": model.tstamp,
        }
    written = {**LEDGER, "recorded_at": pl.Int64()}
    table = pl.DataFrame({name: [row.get(name)] for name in LEDGER}, schema=written)
    return table.with_columns(pl.col("recorded_at").cast(LEDGER["recorded_at"]))
