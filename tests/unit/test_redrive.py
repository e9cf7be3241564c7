"""What a redrive says of records when Kafka fails it on the way."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from services.cli import dead_letters
from streams.contracts.dead_letter import DeadLetter
from streams.contracts.reasons import Reason
from streams.contracts.setting_groups import KafkaSettings

VOTES, LETTERS = "votes", "dead-letters"


class Producer:
    """A producer that acknowledges records, except those that the test lets fail."""

    fails: dict[str, Exception]

    def __init__(self, **_: Any) -> None:
        self.closed = False

    def send(self, topic: str, **_: Any) -> Any:
        if f"send {topic}" in self.fails:
            raise self.fails[f"send {topic}"]

        def get(timeout: float) -> None:
            if topic in self.fails:
                raise self.fails[topic]

        return SimpleNamespace(get=get)

    def close(self, timeout: float) -> None:
        self.closed = True


@pytest.fixture
def letter(monkeypatch: pytest.MonkeyPatch) -> DeadLetter:
    admin = SimpleNamespace(list_topics=lambda: [VOTES, LETTERS])
    monkeypatch.setattr(dead_letters, "admin_of", lambda settings: nullcontext(admin))
    monkeypatch.setattr(dead_letters, "KafkaProducer", Producer)
    return DeadLetter(VOTES, 0, 7, next(iter(Reason)), "detail", b"key", b"value")


@pytest.mark.parametrize("fails", [f"send {LETTERS}", LETTERS])
def test_a_record_that_was_sent_is_not_called_unsent_for_want_of_a_note(
    fails: str, letter: DeadLetter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Producer, "fails", {fails: KafkaTimeoutError("no room")}, raising=False)
    assert dead_letters._send(KafkaSettings(topic_prefix=""), [letter]) == []
    said = capsys.readouterr().err
    assert "votes/0/7 was sent, but this could not be recorded, so it is sent again next time" in said


def test_what_was_not_acknowledged_in_time_may_still_be_written(
    letter: DeadLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Producer, "fails", {VOTES: KafkaTimeoutError("late")}, raising=False)
    [(_, why)] = dead_letters._send(KafkaSettings(topic_prefix=""), [letter])
    assert why.startswith("it may still be written: ")


def test_what_the_broker_refuses_was_not_sent(letter: DeadLetter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Producer, "fails", {VOTES: MessageSizeTooLargeError("large")}, raising=False)
    [(_, why)] = dead_letters._send(KafkaSettings(topic_prefix=""), [letter])
    assert "may still" not in why
