"""`isonomy dead-letters`: list refused records and send them again. With kafka-python."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, KafkaTimeoutError, UnsupportedCodecError

from services.cli.common import Decorated, format_option, read_settings
from services.cli.errors import UserError
from services.cli.footing import require_topics
from services.cli.topics import admin_of
from streams.contracts.connect import close_kafka_python, kafka_python_options
from streams.contracts.dead_letter import REDRIVEN, DeadLetter, read_dead_letter
from streams.contracts.names import shown
from streams.contracts.reasons import Reason
from streams.contracts.setting_groups import KafkaSettings
from streams.contracts.topics import DEAD_LETTERS, MODELS, VOTES
from streams.kafka.end_offsets import EndsUnknown, ask_ends, partitions_of_topic

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord
    from kafka.producer.future import FutureRecordMetadata

ACKNOWLEDGED_SECONDS = 60.0
CLOSE_SECONDS = 5.0
TOGETHER = 500
"""Maximum number of letters per poll."""
MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""High enough that the broker, not the client, decides what is too large."""


@dataclass(slots=True)
class Listed:
    """A dead letter, and whether its record was sent again."""

    letter: DeadLetter
    redriven: bool = False


@click.group("dead-letters")
def command() -> None:
    """Refused records: list them, count them, or send them again after the cause is fixed."""


def _chosen(function: Decorated) -> Decorated:
    reasons = click.Choice([reason.value for reason in Reason])
    function = click.option("--reason", type=reasons, multiple=True, help="Only records refused for this reason.")(
        function
    )
    return click.option("--topic", help="Only records of this topic, named with its prefix.")(function)


@command.command("list")
@_chosen
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Number of newest records.")
@format_option
def list_letters(reason: tuple[str, ...], topic: str | None, limit: int, form: str) -> None:
    """List refused records, one per place in its topic, newest last; JSON has the original bytes in base64."""
    settings = read_settings()
    require_topics(settings, [DEAD_LETTERS.name])
    letters = _select(settings.kafka, reason, topic)
    newest = letters[-limit:]
    if form == "json":
        for listed in newest:
            click.echo(json.dumps(_as_json(listed)))
        return
    for listed in newest:
        letter, again = listed.letter, "   (sent again)" if listed.redriven else ""
        text = (letter.value or b"")[:80].decode("utf-8", "backslashreplace")
        click.echo(f"{_place(letter):40} {letter.reason:16} {shown(letter.detail)}{again}\n{'':40} {shown(text)}")
    counts = Counter(listed.letter.reason.value for listed in letters)
    click.echo(f"{len(letters):,} refused: {', '.join(f'{n:,} {why}' for why, n in counts.most_common()) or 'none'}")


@command.command("redrive")
@_chosen
@click.option("--again", is_flag=True, help="Also records that were sent again before.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def redrive(reason: tuple[str, ...], topic: str | None, again: bool, yes: bool) -> None:
    """Send refused records again to the topic they came from, byte for byte; each once.

    Intake reads them again: a record that is still wrong is refused again, and a vote that was counted meanwhile is a
    duplicate, as long as intake remembers its id. A model record that is sent again becomes the newest of its model.
    Records that cannot be sent are listed, the others are sent, and the exit code is 1.
    """
    settings = read_settings()
    require_topics(settings, [DEAD_LETTERS.name])
    found = _select(settings.kafka, reason, topic)
    letters = [listed.letter for listed in found if again or not listed.redriven]
    if before := len(found) - len(letters):
        click.echo(f"{before:,} were sent again before and are skipped")
    if not letters:
        click.echo("nothing to send")
        return
    if not yes:
        click.confirm(f"Send {len(letters):,} records again?", abort=True)
    unsent = _send(settings.kafka, letters)
    for letter, why in unsent:
        click.echo(f"not sent: {_place(letter)}: {why}", err=True)
    click.echo(f"sent {len(letters) - len(unsent):,} records again")
    if unsent:
        raise UserError(f"{len(unsent):,} could not be sent; those that were sent are skipped next time")


def _send(settings: KafkaSettings, letters: Sequence[DeadLetter]) -> list[tuple[DeadLetter, str]]:
    """Send each record separately and note that it was sent; return those that could not be sent, and why."""
    with admin_of(settings) as admin:
        present = set(admin.list_topics()) & {settings.topic(VOTES.name), settings.topic(MODELS.name)}
    unsent: list[tuple[DeadLetter, str]] = []
    under_way: list[tuple[DeadLetter, FutureRecordMetadata]] = []
    producer = None
    try:
        producer = KafkaProducer(**kafka_python_options(settings), acks="all", max_request_size=MAX_REQUEST_BYTES)
        for letter in letters:
            why = _why_not(letter, present)
            if why is not None:
                unsent.append((letter, why))
                continue
            try:
                under_way.append((letter, producer.send(letter.topic, key=letter.key, value=letter.value)))
            except KafkaError as error:
                unsent.append((letter, str(error)))
        end = time.monotonic() + ACKNOWLEDGED_SECONDS
        noted: list[tuple[DeadLetter, FutureRecordMetadata]] = []
        for letter, future in under_way:
            try:
                future.get(timeout=max(0.001, end - time.monotonic()))
            except KafkaTimeoutError as error:
                unsent.append((letter, f"it may still be written: {error}"))
                continue
            except KafkaError as error:
                unsent.append((letter, str(error)))
                continue
            try:
                noted.append((letter, _note(producer, settings, letter)))
            except KafkaError as error:
                _say_again(letter, error)
        for letter, future in noted:
            try:
                future.get(timeout=max(0.001, end - time.monotonic()))
            except KafkaError as error:
                _say_again(letter, error)
    except KafkaError as error:
        raise UserError(f"Kafka at {settings.bootstrap} cannot be reached: {error}") from None
    finally:
        if producer is not None:
            close_kafka_python(producer, CLOSE_SECONDS)
    return unsent


def _say_again(letter: DeadLetter, error: KafkaError) -> None:
    click.echo(
        f"{_place(letter)} was sent, but this could not be recorded, so it is sent again next time: {error}", err=True
    )


def _note(producer: KafkaProducer, settings: KafkaSettings, letter: DeadLetter) -> FutureRecordMetadata:
    """Record in Kafka that a letter's record was sent again: the dedup memory is shorter than letters are kept."""
    now = str(round(time.time() * 1000)).encode()
    headers = [*letter.headers(), (REDRIVEN, now)]
    return producer.send(settings.topic(DEAD_LETTERS.name), key=letter.place, value=b"", headers=headers)


def _why_not(letter: DeadLetter, present: set[str]) -> str | None:
    """Return why a letter cannot be sent or would be refused again; None if it can be sent."""
    if letter.reason is Reason.UNREADABLE:
        return "it stands for a whole batch that no client can read"
    if letter.cut is not None:
        return f"only its beginning was kept: it had {letter.cut} bytes"
    if letter.key is None and letter.value is None:
        return "it has neither key nor value, and would be refused again"
    return None if letter.topic in present else f"{letter.topic} is not an existing topic of Isonomy"


def read_letters(settings: KafkaSettings) -> list[Listed]:
    """Read every dead letter from the start to the current end of the topic, one per place."""
    name = settings.topic(DEAD_LETTERS.name)
    found: dict[bytes, Listed] = {}
    redriven: set[bytes] = set()
    try:
        consumer = KafkaConsumer(
            **kafka_python_options(settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            partitions = partitions_of_topic(consumer, name)
            ends = ask_ends(consumer, partitions)
            for partition in partitions:
                for record in _records(consumer, partition, ends[partition]):
                    letter = _read(record)
                    if letter is None:
                        continue
                    if any(header == REDRIVEN for header, _ in record.headers):
                        redriven.add(letter.place)
                    else:
                        found.setdefault(letter.place, Listed(letter))
        finally:
            consumer.close()
    except (KafkaError, EndsUnknown, OSError) as error:
        raise UserError(f"Kafka at {settings.bootstrap} cannot be reached: {error}") from None
    for place in redriven & found.keys():
        found[place].redriven = True
    return list(found.values())


def _records(consumer: KafkaConsumer, partition: TopicPartition, end: int) -> Iterator[ConsumerRecord]:
    """Yield the records of a partition up to `end`; unreadable offsets are reported and skipped one by one."""
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    most, fault = TOGETHER, -1
    while (place := consumer.position(partition)) < end:
        try:
            polled = consumer.poll(timeout_ms=500, max_records=most)
        except Exception as error:
            # A codec's library may raise anything; errors not caused by a batch are raised again.
            if isinstance(error, KafkaError) and not isinstance(error, (CorruptRecordError, UnsupportedCodecError)):
                raise
            if most == 1:
                click.echo(f"{partition.topic}/{partition.partition}/{place} cannot be read: {error}", err=True)
                fault, place = place, place + 1
            most = 1  # the failed poll also dropped readable records: read one by one
            # The client caches the failed batch, and a second poll for it would never return: poll elsewhere first.
            consumer.seek(partition, end)
            consumer.poll(timeout_ms=0)
            consumer.seek(partition, place)
            continue
        if polled and place > fault:
            most = TOGETHER
        for records in polled.values():
            yield from records


def _read(record: ConsumerRecord) -> DeadLetter | None:
    try:
        return read_dead_letter(dict(record.headers), record.value)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        click.echo(f"record {record.offset} is not a dead letter: {error!r}", err=True)
        return None


def _select(settings: KafkaSettings, reasons: tuple[str, ...], topic: str | None) -> list[Listed]:
    return [
        listed
        for listed in read_letters(settings)
        if (not reasons or listed.letter.reason.value in reasons) and (topic is None or listed.letter.topic == topic)
    ]


def _place(letter: DeadLetter) -> str:
    """Return the place of the refused record; for a batch, with its range of offsets."""
    return letter.place.decode() + ("" if letter.last_offset is None else f"-{letter.last_offset}")


def _as_json(listed: Listed) -> dict[str, object]:
    letter = listed.letter

    def text(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "last_offset": letter.last_offset,
        "cut": letter.cut,
        "reason": letter.reason.value,
        "detail": letter.detail,
        "redriven": listed.redriven,
        "key": text(letter.key),
        "value": text(letter.value),
    }
