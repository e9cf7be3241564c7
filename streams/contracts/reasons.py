"""Why a record cannot be used: one closed set for logs, metrics, dead letters and HTTP answers."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A named reason for refusing a vote or a model record."""

    EMPTY = "empty"
    """No value at all, or one of zero bytes. (On `models`, no value takes the model off the registry.)"""
    TOO_LARGE = "too_large"
    """The value is larger than `MAX_RECORD_BYTES`."""
    INVALID_UTF8 = "invalid_utf8"
    """The bytes are not UTF-8."""
    INVALID_JSON = "invalid_json"
    """The text is not one JSON value (NaN and Infinity are not JSON)."""
    TOO_DEEP = "too_deep"
    """The JSON nests deeper than `MAX_DEPTH`."""
    NOT_AN_OBJECT = "not_an_object"
    """The JSON value is not an object."""
    MISSING_FIELD = "missing_field"
    """A required field is absent."""
    KEY_MISMATCH = "key_mismatch"
    """The record key is not the vote's id, on which deduplication depends, or not the model's `arena/model`."""
    INVALID_ID = "invalid_id"
    """`id` is not a string of 1 to 64 characters."""
    INVALID_ARENA = "invalid_arena"
    """`arena` does not match `[a-z0-9][a-z0-9_-]{0,31}`."""
    INVALID_MODEL = "invalid_model"
    """A model name is not a string of 1 to 128 characters that people can read, in its normal form; or it is what
    programs write for a missing name, such as `null` and `undefined`."""
    SAME_MODEL = "same_model"
    """Both sides are the same model, in the normal form of its name."""
    UNKNOWN_WINNER = "unknown_winner"
    """`winner` is none of the words of the contract."""
    INVALID_TSTAMP = "invalid_tstamp"
    """`tstamp` is not a finite number of seconds, zero or later."""
    FUTURE_TSTAMP = "future_tstamp"
    """`tstamp` is more than five minutes (at the gateway: four) after the time at which the record arrived."""
    INVALID_FIELD = "invalid_field"
    """Any other field is not of its type or range. (So too where a field says that the record is not one vote that the
    arena counts: `count` or `weight` other than 1, `is_valid` or `dedup_tag.sampled` false.)"""
    NOT_ANONYMOUS = "not_anonymous"
    """`anony` is false: the person saw which models answered, and such votes do not count."""
    TOO_MANY_ARENAS = "too_many_arenas"
    """At the gateway only: a key for all arenas has written to as many within a day as it may."""
    TOO_MANY_NAMES = "too_many_names"
    """At the gateway only: the key has named as many different models of the arena within a day as it may."""
    UNREADABLE = "unreadable"
    """A whole record batch that no client can read; the dead letter holds its bytes and the offsets that it spans."""


FIELD_REASONS = {
    "id": Reason.INVALID_ID,
    "arena": Reason.INVALID_ARENA,
    "model_a": Reason.INVALID_MODEL,
    "model_b": Reason.INVALID_MODEL,
    "model": Reason.INVALID_MODEL,
    "winner": Reason.UNKNOWN_WINNER,
    "tstamp": Reason.INVALID_TSTAMP,
}
"""The reason for an invalid value, by field; all other fields have `INVALID_FIELD`."""
