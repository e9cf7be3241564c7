"""`isonomy dead-letters`: what was refused, and sending it again. With kafka-python."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from services.cli.footing import require_topics
from services.cli.topics import admin_of
from streams.contracts.connect import kafka_python_options
from streams.contracts.dead_letter import DeadLetter, read_dead_letter
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.contracts.topics import DEAD_LETTERS
from streams.ends import EndsUnknown, ask_ends, partitions_of_topic

ACKNOWLEDGED_SECONDS = 60.0
CLOSE_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024 * 1024
"""What is too large, the broker says."""


@click.group("dead-letters")
def command() -> None:
    """Refused records: list them, count them, or send them again once the cause is mended."""


def _chosen(function: Any) -> Any:
    reasons = click.Choice([reason.value for reason in Reason])
    function = click.option("--reason", type=reasons, multiple=True, help="Only refused for this reason.")(function)
    return click.option("--topic", help="Only from this topic, named with its prefix.")(function)


@command.command("list")
@_chosen
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Newest so many.")
@format_option
def list_letters(reason: tuple[str, ...], topic: str | None, limit: int, form: str) -> None:
    """List refused records, one per place in its topic, newest last; JSON holds the original bytes in base64."""
    settings = read_settings()
    require_topics(settings, [DEAD_LETTERS.name])
    letters = _select(settings, reason, topic)
    shown = letters[-limit:]
    if form == "json":
        for letter in shown:
            click.echo(json.dumps(_as_json(letter)))
        return
    for letter in shown:
        text = (letter.value or b"")[:80].decode("utf-8", "backslashreplace")
        click.echo(f"{_place(letter):40} {letter.reason:16} {letter.detail}\n{'':40} {text}")
    counts = Counter(letter.reason.value for letter in letters)
    click.echo(f"{len(letters):,} refused: {', '.join(f'{n:,} {why}' for why, n in counts.most_common()) or 'none'}")


@command.command("redrive")
@_chosen
@click.option("--yes", is_flag=True, help="Do not ask.")
def redrive(reason: tuple[str, ...], topic: str | None, yes: bool) -> None:
    """Send refused records again to where they came from, byte for byte.

    They pass intake anew: what is still wrong is refused again, what was counted meanwhile is a duplicate. What cannot
    be sent is named, the others are sent, and the exit code is 1.
    """
    settings = read_settings()
    require_topics(settings, [DEAD_LETTERS.name])
    letters = _select(settings, reason, topic)
    if not letters:
        click.echo("nothing to send")
        return
    if not yes:
        click.confirm(f"Send {len(letters):,} records again?", abort=True)
    unsent = _send(settings, letters)
    for letter, why in unsent:
        click.echo(f"not sent: {_place(letter)}: {why}", err=True)
    click.echo(f"sent {len(letters) - len(unsent):,} records again")
    if unsent:
        raise UserError(f"{len(unsent):,} could not be sent; what was sent is a duplicate next time")


def _send(settings: Settings, letters: Sequence[DeadLetter]) -> list[tuple[DeadLetter, str]]:
    """Send each for itself; return those that could not be sent, and why."""
    with admin_of(settings) as admin:
        present = set(admin.list_topics())
    unsent: list[tuple[DeadLetter, str]] = []
    under_way: list[tuple[DeadLetter, Any]] = []
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
        for letter, future in under_way:
            try:
                future.get(timeout=max(0.001, end - time.monotonic()))
            except KafkaError as error:
                unsent.append((letter, str(error)))
    except KafkaError as error:
        raise UserError(f"Kafka at {settings.kafka} cannot be reached: {error}") from None
    finally:
        if producer is not None:
            producer.close(timeout=CLOSE_SECONDS)
    return unsent


def _why_not(letter: DeadLetter, present: set[str]) -> str | None:
    """Say why a letter is not worth sending, or cannot be; None when it can."""
    if letter.reason is Reason.UNREADABLE:
        return "it stands for a whole batch that no client can read"
    if letter.cut is not None:
        return f"only its beginning was kept: it had {letter.cut} bytes"
    if letter.key is None and letter.value is None:
        return "it has neither key nor value, and would be refused again"
    return None if letter.topic in present else f"topic {letter.topic} does not exist"


def read_letters(settings: Settings) -> Iterator[DeadLetter]:
    """Read every dead letter from the start to the present end, one per place."""
    name = settings.topic(DEAD_LETTERS.name)
    try:
        consumer: Any = KafkaConsumer(
            **kafka_python_options(settings),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        try:
            partitions = partitions_of_topic(consumer, name)
            ends = ask_ends(consumer, partitions)
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            seen: set[bytes] = set()
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for records in consumer.poll(timeout_ms=500).values():
                    for record in records:
                        letter = _read(record)
                        if letter is not None and letter.place not in seen:
                            seen.add(letter.place)
                            yield letter
        finally:
            consumer.close()
    except (KafkaError, EndsUnknown, OSError) as error:
        raise UserError(f"Kafka at {settings.kafka} cannot be reached: {error}") from None


def _read(record: Any) -> DeadLetter | None:
    try:
        return read_dead_letter(dict(record.headers), record.value)
    except (KeyError, ValueError) as error:
        click.echo(f"record {record.offset} is no dead letter: {error!r}", err=True)
        return None


def _select(settings: Settings, reasons: tuple[str, ...], topic: str | None) -> list[DeadLetter]:
    return [
        letter
        for letter in read_letters(settings)
        if (not reasons or letter.reason.value in reasons) and (topic is None or letter.topic == topic)
    ]


def _place(letter: DeadLetter) -> str:
    """Say where the refused record stands; of a batch, from which offset to which."""
    return letter.place.decode() + ("" if letter.last_offset is None else f"-{letter.last_offset}")


def _as_json(letter: DeadLetter) -> dict[str, Any]:
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
        "key": text(letter.key),
        "value": text(letter.value),
    }
