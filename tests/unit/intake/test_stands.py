"""Intake when records are gone: it stops long enough to be noticed, and continues when an operator accepts the gap."""

from typing import Any, cast

import pytest

from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings
from streams.intake import stage as module
from streams.intake.begin import RecordsGone
from streams.intake.stage import IntakeStage
from streams.kafka.fetch import Rebalanced


class Log:
    """Moves its partitions at the look of this number."""

    def __init__(self, moves_at: int = 1_000) -> None:
        self.looks, self._moves_at = 0, moves_at

    def give_way(self) -> None:
        self.looks += 1
        if self.looks == self._moves_at:
            raise Rebalanced


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which advances when a caller sleeps."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("asyncio.sleep", sleep)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(module, "warm", lambda: None)
    monkeypatch.setattr(module, "warm_scan", lambda: None)
    return now


def gone_until(accepted: float, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> IntakeStage:
    async def positions_of(*_: Any) -> dict[Any, int]:
        if clock[0] < accepted:
            raise RecordsGone("votes/0 lacks 7 records", 7)
        return {"votes/0": 7}

    monkeypatch.setattr(module, "positions_of", positions_of)
    return IntakeStage(Settings(), Metrics())


async def test_what_is_accepted_while_it_stands_lets_it_go_on(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = gone_until(5.0, clock, monkeypatch)
    assert await stage._places(cast(Any, Log()), []) == {"votes/0": 7}
    assert "intake has stopped: votes/0 lacks 7 records" in caplog.text
    assert stage.steps >= 2, "the watchdog sees that it does not hang"


async def test_it_stands_for_longer_than_prometheus_takes_between_two_looks(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = gone_until(1e9, clock, monkeypatch)
    with pytest.raises(RecordsGone):
        await stage._places(cast(Any, Log()), [])
    assert 15 < clock[0] < 30


async def test_it_gives_way_to_a_rebalance(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = gone_until(1e9, clock, monkeypatch)
    with pytest.raises(Rebalanced):
        await stage._places(cast(Any, Log(moves_at=2)), [])
