"""Through a real broker and a real worker: the ledger has every change of the registry at its place among the votes."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from services.simulate import Truth, load_scenario, simulate
from streams.contracts.topics import DEAD_LETTERS, LEDGER
from streams.ledger.codec import Block, Notice, decode
from tests.support.pipeline import Pipeline
from tests.support.stack import TestBroker, TestRedis
from tests.unit.simulate.making import HEAD, TEN, event

pytestmark = pytest.mark.integration

TEXT = (
    HEAD
    + "[faults]\nduplicates = 0.02\ngarbage = 0.01\n"
    + TEN
    + event("reweigh", 2_000, every=2_000, count=2, weights=[1, 2])
    + event("remove", 5_000, models="m-03")
    + event("unregister", 7_000, models="m-04")
)


@pytest.fixture
def pipeline(
    broker: TestBroker, redis_server: TestRedis, topic_prefix: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Pipeline]:
    pipeline = Pipeline(broker.bootstrap, redis_server.url, topic_prefix, redis_prefix, tmp_path).create_topics()
    yield pipeline
    pipeline.stop()


def ledger(pipeline: Pipeline) -> list[Block | Notice]:
    return [decode(record.value) for record in pipeline.topic(LEDGER.name)]


def places(records: Iterable[Block | Notice]) -> tuple[int, list[tuple[int, str, float | None]]]:
    """Each notice with the votes before it."""
    rows, found = 0, []
    for record in records:
        if isinstance(record, Block):
            rows += len(record.rows)
        else:
            found.append((rows, record.name, None if record.model is None else record.model.weight))
    return rows, found


def test_the_ledger_has_the_order_of_the_simulation(pipeline: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    pipeline.worker(stages="intake").start().wait_ready()
    done = pipeline.isonomy(
        "simulate", str(path), "--battles", "9000", "--kafka", "--truth", str(tmp_path / "t.json"),
        "--format", "json",
    )  # fmt: skip
    told = ledger(pipeline)
    assert places(told) == places(simulate(load_scenario(path), 0, 9_000))
    assert json.loads(done.stdout)["rows"] == 9_000
    assert msgspec.json.decode((tmp_path / "t.json").read_bytes(), type=Truth).silently_removed == {"m-03": 5_000}
    assert len(pipeline.topic(DEAD_LETTERS.name)) == pytest.approx(90, abs=40)
    # The same simulation again adds no vote.
    pipeline.isonomy("simulate", str(path), "--battles", "9000", "--kafka")
    assert places(ledger(pipeline))[0] == 9_000


def test_without_a_worker_it_is_not_waited_for_but_asked(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from services.cli.simulate import command

    for name, value in pipeline.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("services.simulate.kafka.PATIENCE", 0.5)
    result = CliRunner().invoke(command, ["healthy", "--battles", "10", "--kafka"])
    assert (result.exit_code, "is a worker running, or is a transaction open on" in result.stderr) == (1, True)
    result = CliRunner().invoke(command, ["healthy", "--battles", "10", "--kafka", "--no-wait"])
    assert result.exit_code == 0, result.output
