"""Strangers cannot fill the log."""

import logging

import pytest

from services.http.server import SAME_WARNING_SECONDS, Seldom


def test_a_warning_is_written_once_a_minute_and_says_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = logging.getLogger("tests.seldom")
    log.addFilter(Seldom(lambda: now))
    for _ in range(1_000):
        log.warning("no HTTP")
    log.warning("an upgrade to %s", "websocket")
    for _ in range(3):
        log.error("a fault of ours")
    now = SAME_WARNING_SECONDS
    log.warning("no HTTP")
    log.warning("no HTTP")
    assert [record.getMessage() for record in caplog.records] == [
        "no HTTP",
        "an upgrade to websocket",
        *["a fault of ours"] * 3,
        "no HTTP (999 more since the last such line)",
    ]
