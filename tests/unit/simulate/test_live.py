"""Sending: the registry's changes at their place, whatever the stack's own order; the pace; Kafka away."""

import asyncio

import pytest

from services.cli.errors import UserError
from services.simulate import read_scenario, simulate
from services.simulate.live import Pace, Sent, send
from services.simulate.records import Recorder
from tests.unit.simulate.making import HEAD, TEN, event


class Stack:
    """A stand-in that takes records only when asked to settle, model records first: the worst case of intake."""

    def __init__(self) -> None:
        self.ledger, self.votes, self.models = [], [], []

    async def send(self, keys, values) -> None:
        self.votes += [(key, value) for key, value in zip(keys, values, strict=True)]

    async def declare(self, records) -> None:
        self.models += records

    async def settle(self) -> None:
        self.ledger += [("models", key, value) for key, value in self.models]
        self.ledger += [("votes", key, value) for key, value in self.votes]
        self.models, self.votes = [], []


def sent(text: str, pace: Pace | None = None, battles: int = 9_000) -> tuple[Stack, Sent]:
    simulation = simulate(read_scenario(HEAD + text), 0, battles)
    stack = Stack()
    counted = asyncio.run(
        send(simulation, Recorder(simulation.world, 0.0), stack, pace or Pace(None), lambda reached: None)
    )
    return stack, counted


def test_every_change_is_at_its_place_among_the_votes() -> None:
    text = (
        TEN + event("reweigh", 1_000, every=1_000, count=2, weights=[1, 2]) + event("unregister", 4_500, models="m-1*")
    )
    stack, counted = sent(text)
    simulation = simulate(read_scenario(HEAD + text), 0, 9_000)
    recorder = Recorder(simulation.world, 0.0)
    expected = []
    for record in simulation:
        if hasattr(record, "rows"):
            votes = recorder.votes(record)
            expected += [("votes", k.encode(), v.encode()) for k, v in zip(votes.keys, votes.values, strict=True)]
        else:
            key, value = recorder.model(record)
            expected.append(("models", key.encode(), None if value is None else value.encode()))
    assert stack.ledger == expected
    assert (counted.votes, counted.notices) == (9_000, 10 + 16 + 1)


class Clock:
    """A stopped clock that records the requested sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 0.0, []
        monkeypatch.setattr("services.simulate.live.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_rate_is_kept_and_an_outage_is_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    per_day = "[clock]\nper_day = 86_400\n"
    sent(per_day + TEN + event("outage", 500, hours=0.5), Pace(100.0, lambda: clock.now), battles=1_000)
    assert clock.now == pytest.approx((1_000 + 1_800) / 100)
    assert max(clock.slept) == pytest.approx(18.0)


def test_without_a_rate_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    sent(TEN + event("outage", 500, hours=5), Pace(None, lambda: clock.now), battles=1_000)
    assert set(clock.slept) == {0.0}


def test_kafka_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from services.cli.simulate import command

    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = CliRunner().invoke(command, ["healthy", "--kafka"])
    assert isinstance(result.exception, SystemExit | UserError)
    assert "cannot be reached" in result.stderr
    assert len(result.stderr.splitlines()) == 1
