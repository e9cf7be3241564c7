"""`isonomy dead-letters`: what was refused, and sending it again. With kafka-python."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from services.cli.admission import require_kafka
from services.cli.common import format_option, read_settings
from services.cli.errors import UserError
from streams.contracts.connect import kafka_python_options
from streams.contracts.dead_letter import DeadLetter, read_dead_letter
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.contracts.topics import DEAD_LETTERS
from streams.ends import EndsUnknown, ask_ends, partitions_of_topic


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
    require_kafka(settings)
    letters = _select(settings, reason, topic)
    shown = letters[-limit:]
    if form == "json":
        for letter in shown:
            click.echo(json.dumps(_as_json(letter)))
        return
    for letter in shown:
        text = (letter.value or b"")[:80].decode("utf-8", "backslashreplace")
        click.echo(f"{letter.place.decode():40} {letter.reason:16} {letter.detail}\n{'':40} {text}")
    counts = Counter(letter.reason.value for letter in letters)
    click.echo(f"{len(letters):,} refused: {', '.join(f'{n:,} {why}' for why, n in counts.most_common()) or 'none'}")


@command.command("redrive")
@_chosen
@click.option("--yes", is_flag=True, help="Do not ask.")
def redrive(reason: tuple[str, ...], topic: str | None, yes: bool) -> None:
    """Send refused records again to where they came from, byte for byte.

    They pass intake anew: what is still wrong is refused again, what was counted meanwhile is a duplicate.
    """
    settings = read_settings()
    require_kafka(settings)
    letters = _select(settings, reason, topic)
    if not letters:
        click.echo("nothing to send")
        return
    if not yes:
        click.confirm(f"Send {len(letters):,} records again?", abort=True)
    try:
        producer = KafkaProducer(**kafka_python_options(settings), acks="all")
        futures = [producer.send(letter.topic, key=letter.key, value=letter.value) for letter in letters]
        for future in futures:
            future.get(timeout=30)
        producer.close()
    except KafkaError as error:
        raise UserError(f"Kafka did not take them all: {error}; what it took is a duplicate next time") from None
    click.echo(f"sent {len(letters):,} records again")


def read_letters(settings: Settings) -> Iterator[DeadLetter]:
    """Read every dead letter from the start to the present end, one per place."""
    name = settings.topic(DEAD_LETTERS.name)
    try:
        consumer: Any = KafkaConsumer(**kafka_python_options(settings), group_id=None, enable_auto_commit=False)
        try:
            partitions = partitions_of_topic(consumer, name)
            if not partitions:
                raise UserError(f"topic {name} does not exist: `isonomy topics` creates it")
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


def _as_json(letter: DeadLetter) -> dict[str, Any]:
    def text(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason.value,
        "detail": letter.detail,
        "key": text(letter.key),
        "value": text(letter.value),
    }
