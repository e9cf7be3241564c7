"""Decodes the records of the three topics; what cannot be read is counted, said, and passed over."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from services.herald.rules.book import Book
from streams.contracts.alert import Alert, decode_alert
from streams.contracts.delivery import Delivery, decode_record
from streams.contracts.subscription import decode_subscription

log = logging.getLogger(__name__)


def read_alert(record: Any) -> Alert | None:
    """The alert of a record, if it is one (compaction may leave a record without value)."""
    if record.value is None:
        return None
    try:
        return decode_alert(record.value)
    except msgspec.MsgspecError as error:
        log.warning("alerts, offset %d: passed over: %s", record.offset, error)
        return None


def take_subscription(book: Book, record: Any) -> str | None:
    """Take a record of `subscriptions` into the book; returns whose it is."""
    key = _key(record)
    if key is None:
        return None
    try:
        book.take_subscription(key, None if record.value is None else decode_subscription(record.value))
    except msgspec.MsgspecError as error:
        log.warning("subscriptions, offset %d: passed over: %s", record.offset, error)
        return None
    return key


def take_delivery(book: Book, record: Any) -> Delivery | None:
    """Take a record of `deliveries` into the book; returns the true delivery when the record goes back behind it."""
    key = _key(record)
    if key is None:
        return None
    try:
        return book.take(key, None if record.value is None else decode_record(record.value))
    except msgspec.MsgspecError as error:
        log.warning("deliveries, offset %d: passed over: %s", record.offset, error)
        return None


def _key(record: Any) -> str | None:
    try:
        return str((record.key or b"").decode()) or None
    except UnicodeDecodeError:
        log.warning("%s, offset %d: passed over: its key is not UTF-8", record.topic, record.offset)
        return None
