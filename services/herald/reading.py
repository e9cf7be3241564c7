"""Decodes the records of the three topics; what cannot be read is counted, said, and passed over."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from services.herald.rules.delivery_state import Book
from streams.contracts.alert import Alert, decode_alert
from streams.contracts.delivery import Delivery, decode_record
from streams.contracts.subscription import decode_subscription

log = logging.getLogger(__name__)

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises: of text that is not UTF-8, and of too many brackets, msgspec raises what is not its own."""


def read_alert(record: Any) -> Alert | None:
    """The alert of a record, if it is one (compaction may leave a record without value)."""
    if record.value is None:
        return None
    try:
        return decode_alert(record.value)
    except UNREADABLE as error:
        log.warning("alerts, offset %d: passed over: %s", record.offset, error)
        return None


def recorded(record: Any, alert: Alert) -> float:
    """When an alert was told, epoch seconds; when it was detected if its record has no time (the oldest format)."""
    return alert.detected_at if record.timestamp is None or record.timestamp < 0 else float(record.timestamp / 1000)


def take_subscription(book: Book, record: Any) -> str | None:
    """Take a record of `subscriptions` into the book; returns whose it is."""
    key = _key(record)
    if key is None:
        return None
    try:
        book.take_subscription(key, None if record.value is None else decode_subscription(record.value))
    except UNREADABLE as error:
        log.warning("subscriptions, offset %d: passed over: %s", record.offset, error)
        return None
    return key


def take_delivery(book: Book, record: Any) -> str | None:
    """Take a record of `deliveries` into the book; returns which delivery it goes back behind, if it does."""
    key = _key(record)
    if key is None:
        return None
    try:
        found = None if record.value is None else decode_record(record.value)
        return found.id if book.take(key, found, record.offset) and isinstance(found, Delivery) else None
    except UNREADABLE as error:
        log.warning("deliveries, offset %d: passed over: %s", record.offset, error)
        return None


def _key(record: Any) -> str | None:
    try:
        return str((record.key or b"").decode()) or None
    except UnicodeDecodeError:
        log.warning("%s, offset %d: passed over: its key is not UTF-8", record.topic, record.offset)
        return None
