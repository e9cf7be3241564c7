"""When a stage hangs: it has lag and does not move."""

from dataclasses import dataclass
from typing import Any

import pytest
from kafka import TopicPartition

from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.kafka.end_offsets import EndsUnknown
from streams.watchdog import Progress, Watchdog


def ages(*observations: tuple[float, int, int]):
    progress = Progress()
    return [progress.observe(*each) for each in observations]


def test_the_first_look_is_no_verdict() -> None:
    assert ages((100.0, 5, 1_000)) == [0.0]


def test_lag_without_progress_ages() -> None:
    assert ages((0.0, 5, 10), (2.0, 5, 10), (9.0, 5, 99)) == [0.0, 2.0, 9.0]


def test_any_move_begins_anew() -> None:
    assert ages((0.0, 5, 10), (8.0, 5, 10), (9.0, 6, 9), (11.0, 6, 9)) == [0.0, 8.0, 0.0, 2.0]


def test_a_process_that_was_frozen_does_not_take_its_absence_for_the_stage_s() -> None:
    # SIGSTOP for 70 s: the watchdog wakes first, and the stage has had no turn.
    assert ages((0.0, 5, 10), (2.0, 5, 10), (72.0, 5, 10)) == [0.0, 2.0, 12.0]


def test_looks_without_an_answer_stop_the_clock() -> None:
    progress = Progress()
    assert [progress.observe(now, 5, 10) for now in (0.0, 5.0)] == [0.0, 5.0]
    progress.miss()
    # Two of three brokers were away for 130 s: their silence is not the stage's.
    assert [progress.observe(now, 5, 10) for now in (182.0, 184.0)] == [5.0, 7.0]


def test_a_move_backwards_is_a_move() -> None:
    assert ages((0.0, 5, 10), (8.0, 3, 12), (12.0, 3, 12)) == [0.0, 0.0, 4.0]


def test_nothing_to_do_is_no_hanging() -> None:
    assert ages((0.0, 5, 0), (500.0, 5, 0), (502.0, 5, 1), (504.0, 5, 1)) == [0.0, 0.0, 2.0, 4.0]


def test_a_negative_lag_is_no_lag() -> None:
    assert ages((0.0, 5, 3), (9.0, 5, -1)) == [0.0, 0.0]


def test_position_zero_is_a_position() -> None:
    assert ages((0.0, 0, 3), (9.0, 0, 3)) == [0.0, 9.0]


def test_a_look_before_the_first_position_does_not_count_against_the_stage() -> None:
    assert ages((0.0, 0, 0), (300.0, 0, 0), (301.0, 7, 10)) == [0.0, 0.0, 0.0]


class EmptyTopics:
    """A kafka-python consumer of topics that hold nothing."""

    def end_offsets(self, partitions, timeout_ms: object):
        return dict.fromkeys(partitions, 0)

    beginning_offsets = end_offsets


@dataclass
class Stage:
    name: str
    positions: dict[str, Any]
    steps: int = 0

    def told(self) -> str:
        return ""


def test_a_partition_that_is_anothers_by_now_shows_no_lag() -> None:
    metrics, stage = Metrics(), Stage("intake", {TopicPartition("votes", 0): 0, TopicPartition("votes", 1): 0})
    watchdog = Watchdog(Settings(), metrics, [stage])

    def shown():
        samples = [sample for family in metrics.lag.collect() for sample in family.samples]
        return {sample.labels["partition"] for sample in samples}

    watchdog._look(EmptyTopics())
    assert shown() == {"0", "1"}
    stage.positions = {TopicPartition("votes", 1): 0}
    watchdog._look(EmptyTopics())
    assert shown() == {"1"}


def test_a_log_that_is_shorter_ends_the_process_only_when_another_client_says_so_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first may have asked a broker that leads no more."""
    ended = []
    monkeypatch.setattr("streams.watchdog._exit", ended.append)
    watchdog = Watchdog(Settings(), Metrics(), [Stage("intake", {TopicPartition("votes", 0): 7})])
    with pytest.raises(EndsUnknown, match="ends before"):
        watchdog._look(EmptyTopics())
    assert not ended
    with pytest.raises(EndsUnknown):
        watchdog._look(EmptyTopics())
    assert len(ended) == 1
    assert "another log" in ended[0]
