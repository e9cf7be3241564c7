"""Read the ledger from its start to its current end into one Parquet file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

from services.cli.common import progress
from services.cli.errors import UserError
from services.export.columns import LEDGER, VOTES
from services.export.ledger import Exported
from streams.contracts import topics
from streams.contracts.connect import kafka_python_options
from streams.contracts.partitioner import partitions_of
from streams.contracts.setting_groups import KafkaSettings
from streams.kafka.end_offsets import EndsUnknown, ask_ends, ask_firsts, partitions_of_topic
from streams.ledger.codec import Block, DamagedRecord, Notice, decode

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

PART_ROWS = 250_000
"""Rows held in memory before they are written to disk: some tens of megabytes."""
TOGETHER = 50
"""Maximum number of records per poll: one record is up to a megabyte."""


def write_ledger(settings: KafkaSettings, arena: str | None, path: Path, *, notices: bool) -> Exported:
    """Write the ledger (or one arena of it) to `path`, with temporary part files beside it.

    Raises
    ------
    UserError
        When Kafka does not answer, the ledger does not start at offset 0, a record cannot be read, or there is
        nothing of the arena.
    """
    exported = Exported(notices=notices)
    parts = _PartFiles(path, LEDGER if notices else VOTES)
    try:
        consumer = KafkaConsumer(
            **kafka_python_options(settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )
        try:
            partitions = partitions_of_topic(consumer, settings.topic(topics.LEDGER.name))
            if arena is not None and partitions:
                partitions = [partitions[partitions_of([arena.encode()], len(partitions))[0]]]
            ends, firsts = ask_ends(consumer, partitions), ask_firsts(consumer, partitions)
            if cut := [at for at in partitions if firsts[at] > 0]:
                raise UserError(
                    f"{cut[0].topic}/{cut[0].partition} begins at offset {firsts[cut[0]]}: earlier records are gone,"
                    " and an export of the rest would look complete"
                )
            with progress("ledger records", sum(ends.values())) as bar:
                for at in partitions:
                    for record in _records(consumer, at, ends[at], bar):
                        if arena is None or record.key == arena.encode():
                            parts.add(exported.take(_decoded(record), at.partition, record.offset))
        finally:
            consumer.close()
    except (KafkaError, EndsUnknown, OSError) as error:
        raise UserError(f"Kafka at {settings.bootstrap} cannot be reached: {error}") from None
    if arena is not None and not exported.arenas:
        raise UserError(f"the ledger has no records of arena {arena!r}")
    parts.join()
    return exported


class _PartFiles:
    """Collects tables in memory and writes them to part files, so that memory stays bounded."""

    def __init__(self, path: Path, schema: Mapping[str, pl.DataType]) -> None:
        self._path, self._schema = path, schema
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0
        self._files: list[Path] = []

    def add(self, table: pl.DataFrame | None) -> None:
        if table is None:
            return
        self._waiting.append(table)
        self._rows += table.height
        if self._rows >= PART_ROWS:
            self._flush()

    def join(self) -> None:
        """Join all parts, in order, into one file."""
        if self._waiting or not self._files:
            self._flush()
        pl.scan_parquet(self._files).sink_parquet(self._path, maintain_order=True)

    def _flush(self) -> None:
        part = self._path.with_name(f"part-{len(self._files):06}.parquet")
        whole = pl.concat(self._waiting, rechunk=True) if self._waiting else pl.DataFrame(schema=self._schema)
        whole.write_parquet(part)
        self._files.append(part)
        self._waiting, self._rows = [], 0


def _records(
    consumer: KafkaConsumer, partition: TopicPartition, end: int, bar: Callable[[int], None]
) -> Iterator[ConsumerRecord]:
    """Yield the records of a partition up to `end`; an unreadable record is an error, because none may be skipped."""
    consumer.assign([partition])
    consumer.seek(partition, 0)
    while (place := consumer.position(partition)) < end:
        try:
            polled = consumer.poll(timeout_ms=500, max_records=TOGETHER)
        except Exception as error:
            # A codec's library may raise anything; errors not caused by a batch are raised again.
            if isinstance(error, KafkaError) and not isinstance(error, (CorruptRecordError, UnsupportedCodecError)):
                raise
            raise UserError(
                f"{partition.topic}/{partition.partition} from offset {place} on cannot be read: {error}"
            ) from None
        for record in polled.get(partition, ()):
            if record.offset < end:
                yield record
        bar(min(consumer.position(partition), end) - place)


def _decoded(record: ConsumerRecord) -> Block | Notice:
    place = f"{record.topic}/{record.partition} at offset {record.offset}"
    try:
        found = decode(record.value or b"")
    except DamagedRecord as error:
        raise UserError(f"{place} cannot be read, so nothing is written: {error}") from None
    if not isinstance(found, (Block, Notice)):  # from a later version: its effect on votes is unknown
        raise UserError(f"{place} has a kind that is not exported: {type(found).__name__}")
    return found
