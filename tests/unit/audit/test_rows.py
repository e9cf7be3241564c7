"""Rows made in Python: dates that are no epoch seconds, and no rows at all, are refused in a sentence."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from streams.audit import Model, Row, audit_snapshots
from tests.unit.audit.boards import draw

MORNING = datetime(2025, 1, 1, 9, tzinfo=UTC)
ROW = Row(MORNING.timestamp(), "ash", None, None, 10)


def test_an_audit_needs_a_row() -> None:
    with pytest.raises(ValueError, match="no rows to audit"):
        audit_snapshots([], source="nothing")


@pytest.mark.parametrize(
    ("date", "message"),
    [
        (math.nan, "date nan is not a number of epoch seconds"),
        (math.inf, "date inf is not a number of epoch seconds"),
        (-math.inf, "date -inf is not a number of epoch seconds"),
        ("2025-01-01", "'2025-01-01' is not a number of epoch seconds"),
        (MORNING, r"not a number of epoch seconds \(of a datetime: its timestamp\(\)\)"),
        (MORNING.timestamp() * 1e3, "beyond the year 9999: are these milliseconds"),
    ],
)
def test_a_date_is_a_number_of_seconds(date: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"row 1 \(ash\): the date .*{message}|row 1 \(ash\): the {message}"):
        audit_snapshots([ROW, replace(ROW, date=date)], source="dates")


def test_a_registry_is_model_records() -> None:
    board = draw(seed=1)
    names = [each[0] for each in board.names]
    records = [Model("text", name, "lab", "proprietary", "public", "active", 1.0, 0.0) for name in names]
    told = audit_snapshots(board.rows(), source="test", registry=records)
    assert told.counts.inactive_without_notice is not None
    assert audit_snapshots(board.rows(), source="test").counts.inactive_without_notice is None
