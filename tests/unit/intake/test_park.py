"""Dead letters of large records: none is written that could not be read again."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from streams.contracts.dead_letter import DeadLetter
from streams.contracts.metrics import Metrics
from streams.contracts.reasons import Reason
from streams.contracts.settings import Settings
from streams.contracts.unpack import MOST_BYTES
from streams.intake import stage as intake
from streams.intake.stage import CUT_BYTES, IntakeStage


class Letters:
    """A producer that takes records up to a size."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.sent: list[SimpleNamespace] = []

    async def send_and_wait(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> None:
        if len(value) > self.most:
            raise MessageSizeTooLargeError
        self.sent.append(SimpleNamespace(size=len(value), headers=dict(headers)))


@pytest.mark.parametrize(
    ("size", "most", "kept"),
    [
        (1_000, MOST_BYTES, 1_000),
        (MOST_BYTES // 2 - 3, MOST_BYTES, MOST_BYTES // 2 - 3),
        (MOST_BYTES // 2 - 2, MOST_BYTES, CUT_BYTES // 2),  # packed it would pass, and none could unpack it
        (MOST_BYTES, MOST_BYTES, CUT_BYTES // 2),
        (3_000_000, 2_000_000, CUT_BYTES // 2),
    ],
)
async def test_a_letter_holds_the_record_or_its_beginning(
    monkeypatch: pytest.MonkeyPatch, size: int, most: int, kept: int
) -> None:
    monkeypatch.setattr(intake, "warm", lambda: None)
    monkeypatch.setattr(intake, "warm_scan", lambda: None)
    stage: Any = IntakeStage(Settings(), Metrics())
    stage._letters = Letters(most)
    await stage._park(DeadLetter("votes", 0, 7, Reason.TOO_LARGE, "", b"key", bytes(size)))
    [letter] = stage._letters.sent
    assert letter.size == kept
    assert letter.headers.get("cut") == (None if kept == size else str(size + 3).encode())
