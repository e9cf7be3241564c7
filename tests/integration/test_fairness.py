"""A made-up arena in through Kafka, alerts and views out: equal to one process that refolds the same ledger."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.simulate import read_scenario, simulate
from services.simulate.records import Recorder
from streams.contracts.alert import Alert, Kind, Severity, Status, decode_alert, encode_alert
from streams.contracts.topics import ALERTS, LEDGER, MODELS, VOTES
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.stage import read_book
from streams.ledger.codec import Block, Notice, decode
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, READY, Pipeline
from tests.support.scenario import BATTLES, REMOVED_AT, SMALL_REMOVAL
from tests.support.stack import TestRedis

pytestmark = pytest.mark.integration

SETTINGS = "[default]\nreview_battles = 1_000\n"
OTHER_SETTINGS = SETTINGS + 'false_pages = "one in 100,000 battles"\n'
REPUBLISHED = 30.0
ACCUSING = {Kind.SILENT_REMOVAL, Kind.SHARE_DRIFT, Kind.FEED_STALLED}


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline, tmp_path: Path) -> None:
    chosen = tmp_path / "fairness.toml"
    chosen.write_text(SETTINGS)
    pipeline.environ = {**pipeline.environ, "ISONOMY_FAIRNESS_FILE": str(chosen)}
    # One partition: of several, a burst gets into the ledger in another order, and a removal would come and go.
    pipeline.create_topics(votes=1)


class Feed:
    """The records of the scenario, sent in parts, the registry before the first vote."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        simulation = simulate(read_scenario(SMALL_REMOVAL), seed=1)
        recorder = Recorder(simulation.world, simulation.world.scenario.clock.start)
        self._votes: list[tuple[bytes, bytes]] = []
        self._models: list[tuple[bytes, bytes | None]] = []
        for record in simulation:
            if isinstance(record, Notice):
                key, value = recorder.model(record)
                self._models.append((key.encode(), None if value is None else value.encode()))
            else:
                votes = recorder.votes(record)
                self._votes += [(k.encode(), v.encode()) for k, v in zip(votes.keys, votes.values, strict=True)]

    def declare(self) -> None:
        """Send the registry and wait until the ledger has it."""
        self._pipeline.produce_raw(MODELS.name, self._models)
        eventually(lambda: len(self._pipeline.topic(LEDGER.name)) >= len(self._models), COUNTED, every=0.2)

    def votes(self, start: int, stop: int) -> None:
        self._pipeline.produce_raw(VOTES.name, self._votes[start:stop])


def view(pipeline: Pipeline, of: Callable[[str], str]) -> dict[str, Any] | None:
    with pipeline.redis as redis:
        text = redis.get(of("text"))
    return None if text is None else json.loads(text)


def fairness_of(pipeline: Pipeline) -> dict[str, Any] | None:
    return view(pipeline, pipeline.settings.redis.keys.fairness)


def alerts_of(pipeline: Pipeline) -> dict[str, Any] | None:
    return view(pipeline, pipeline.settings.redis.keys.alerts)


def wait_watched(pipeline: Pipeline, battles: int) -> dict[str, Any]:
    """Wait until the fairness view has this number of battles; more is a failure at once."""

    def watched() -> dict[str, Any] | None:
        found = fairness_of(pipeline)
        if found is not None and found["battles"] > battles:
            raise RuntimeError(f"{found['battles']} battles counted, there are only {battles}")
        return found if found is not None and found["battles"] == battles else None

    return eventually(watched, COUNTED, every=0.05)  # a view, once it is true


def told(pipeline: Pipeline) -> list[bytes]:
    """The alerts topic, whole."""
    return [record.value for record in pipeline.topic(ALERTS.name)]


def without_repeats(values: Sequence[bytes]) -> list[bytes]:
    """What a reader has who drops what it knows."""
    return list(dict.fromkeys(values))


def refolded(pipeline: Pipeline, settings: FairnessSettings | None = None) -> list[bytes]:
    """The alerts of one process that folds the ledger from its start."""
    state = ArenaFairness.start("text", settings or read_book(pipeline.settings.fold).of("text"))
    alerts: list[Alert] = []
    for record in pipeline.topic(LEDGER.name):
        alerts += fold(state, decode(record.value))
    return list(map(encode_alert, alerts))


def assert_one_removal(values: Sequence[bytes]) -> Alert:
    """One critical removal alert names model-07, and no alert names another model."""
    alerts = list(map(decode_alert, values))
    about = [alert for alert in alerts if alert.kind in ACCUSING]
    assert {alert.subject.model for alert in about} == {"model-07"}, [alert.summary for alert in about]
    removals = [alert for alert in about if alert.kind is Kind.SILENT_REMOVAL]
    assert len({alert.id for alert in removals}) == 1
    assert {(alert.severity, alert.status) for alert in removals} == {(Severity.CRITICAL, Status.FIRING)}
    assert "model-07" in removals[0].summary
    return removals[0]


# --- seen -------------------------------------------------------------------------------------------------------------


def test_a_model_removed_in_silence_is_named_once_and_nobody_else(pipeline: Pipeline, tmp_path: Path) -> None:
    scenario = tmp_path / "small.toml"
    scenario.write_text(SMALL_REMOVAL)
    pipeline.worker("intake", stages="intake").start().wait_ready()
    folds = pipeline.worker("folds", stages="ratings,fairness").start().wait_ready()
    pipeline.isonomy("simulate", str(scenario), "--kafka", "--seed", "1")
    seen = wait_watched(pipeline, BATTLES)

    values = told(pipeline)
    assert len(set(values)) == len(values), "nothing fell, so nothing is repeated"
    removal = assert_one_removal(values)
    keys = {record.key for record in pipeline.topic(ALERTS.name)}
    assert keys == {decode_alert(value).fingerprint.encode() for value in values}
    onset = int(removal.id.rpartition("-")[2])
    assert abs(onset - REMOVED_AT) <= 200, "the onset is a place in the ledger"
    assert values == refolded(pipeline)

    shown = alerts_of(pipeline)
    assert shown is not None
    assert [alert["id"] for alert in shown["alerts"] if alert["kind"] == "silent_removal"] == [removal.id]
    assert seen["removals"] == ["model-07"]
    assert seen["declares"]
    assert not seen["outage"]
    assert len(seen["models"]) == seen["counts"]["models"] == 20
    assert seen["counts"]["active"] == 19
    lines = {line["model"]: line for line in seen["models"]}
    assert sum(line["battles"] for line in lines.values()) == 2 * BATTLES
    assert lines["model-07"]["state"] == "removed"
    assert lines["model-07"]["battles"] < min(line["battles"] for name, line in lines.items() if name != "model-07")
    assert len(seen["providers"]) == 10
    assert sum(group["share_of_slots"] for group in seen["licenses"]) == pytest.approx(1, abs=1e-4)
    assert pipeline.wait_counted(BATTLES).battles == BATTLES
    assert folds.metric("fairness_alerts_total", kind="silent_removal", status="firing") == 1
    assert folds.stop() == 0


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snapshot_seconds", ["1", "3600"], ids=["saved just before", "never saved"])
def test_a_worker_that_is_killed_and_started_again_tells_nothing_new_but_exact_repeats(
    pipeline: Pipeline, snapshot_seconds: str
) -> None:
    feed = Feed(pipeline)
    pipeline.worker("intake", stages="intake").start().wait_ready()
    stages, seldom = "ratings,fairness", {"ISONOMY_SNAPSHOT_SECONDS": snapshot_seconds}
    first = pipeline.worker("first", stages=stages, **seldom).start().wait_ready()
    feed.declare()
    feed.votes(0, 4_500)
    wait_watched(pipeline, 4_500)
    before = told(pipeline)
    assert_one_removal(before)
    first.process.kill()
    feed.votes(4_500, BATTLES)
    second = pipeline.worker("second", stages=stages, **seldom).start().wait_ready()
    wait_watched(pipeline, BATTLES)
    after = told(pipeline)
    assert after[: len(before)] == before
    assert without_repeats(after) == refolded(pipeline)
    assert_one_removal(after)
    if snapshot_seconds == "3600":
        assert len(after) > len(without_repeats(after)), "what was never saved is told again"
        assert "fairness: refolding ledger partition" in second.log()
    assert second.stop() == 0


def test_after_a_flush_of_redis_the_views_return_and_no_alert_is_told_again(
    pipeline: Pipeline, redis_server: TestRedis
) -> None:
    feed = Feed(pipeline)
    pipeline.worker("intake", stages="intake").start().wait_ready()
    folds = pipeline.worker("folds", stages="ratings,fairness").start().wait_ready()
    feed.declare()
    feed.votes(0, BATTLES)
    before = wait_watched(pipeline, BATTLES), alerts_of(pipeline)
    values = told(pipeline)
    redis_server.flush()
    eventually(lambda: (fairness_of(pipeline), alerts_of(pipeline)) == before, REPUBLISHED)
    eventually(lambda: folds.metric("fold_republished_total", stage="fairness") == 1)
    assert folds.stop() == 0
    second = pipeline.worker("second", stages="ratings,fairness").start().wait_ready()
    eventually(lambda: (fairness_of(pipeline), alerts_of(pipeline)) == before, REPUBLISHED)
    assert "fairness: refolding" not in second.log()
    assert told(pipeline) == values == refolded(pipeline)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[default]\ndelta = 2\n", "default: Expected `float` < 1.0 - at `$.delta`"),
        ("[default\n", "Expected ']'"),
        ("[defaults]\n", "unknown tables ['defaults']"),
        (None, "No such file"),
    ],
    ids=["out of range", "no TOML", "unknown table", "no file"],
)
def test_a_mistake_in_the_settings_file_ends_the_worker_with_one_sentence_that_names_it(
    pipeline: Pipeline, tmp_path: Path, text: str | None, says: str
) -> None:
    path = tmp_path / "mistaken.toml"
    if text is not None:
        path.write_text(text)
    worker = pipeline.worker(stages="fairness", ISONOMY_FAIRNESS_FILE=str(path)).start()
    code = eventually(lambda: (worker.process.poll(),) if worker.process.poll() is not None else None, READY)[0]
    assert code != 0
    assert f"ISONOMY_FAIRNESS_FILE='{path}': " in worker.log()
    assert says in worker.log()
    assert "Traceback" not in worker.log()


def test_under_other_settings_the_ledger_is_folded_again_and_judged_by_them(pipeline: Pipeline, tmp_path: Path) -> None:
    feed = Feed(pipeline)
    pipeline.worker("intake", stages="intake").start().wait_ready()
    first = pipeline.worker("first", stages="fairness").start().wait_ready()
    feed.declare()
    feed.votes(0, BATTLES)
    wait_watched(pipeline, BATTLES)
    assert first.stop() == 0
    before = told(pipeline)
    assert before == refolded(pipeline)

    (tmp_path / "fairness.toml").write_text(OTHER_SETTINGS)
    second = pipeline.worker("second", stages="fairness").start().wait_ready()
    expected = refolded(pipeline)
    assert expected != before
    eventually(lambda: len(told(pipeline)) == len(before) + len(expected), COUNTED, every=0.2)
    assert told(pipeline) == before + expected
    seen = eventually(
        lambda: (found := fairness_of(pipeline)) and found["levels"]["battles_between_pages"] == 100_000 and found
    )
    assert seen["battles"] == BATTLES
    assert "folded under other settings" in second.log()
    assert_one_removal(expected)


def test_the_same_ledger_cut_at_other_places_gives_the_same_alerts(pipeline: Pipeline) -> None:
    feed = Feed(pipeline)
    pipeline.worker("intake", stages="intake", ISONOMY_FETCH_RECORDS="700").start().wait_ready()
    feed.declare()
    for start, stop in itertools.pairwise([0, 1_234, 2_999, 3_333, BATTLES]):
        feed.votes(start, stop)
    pipeline.worker("folds", stages="fairness").start().wait_ready()
    wait_watched(pipeline, BATTLES)
    blocks = [entry for record in pipeline.topic(LEDGER.name) if isinstance(entry := decode(record.value), Block)]
    assert len(blocks) > 4
    values = told(pipeline)
    assert values == refolded(pipeline)

    # Nor does it matter that they came through Kafka: the simulation's own blocks say the same.
    state = ArenaFairness.start("text", read_book(pipeline.settings.fold).of("text"))
    unsent = [
        encode_alert(alert)
        for record in simulate(read_scenario(SMALL_REMOVAL), seed=1)
        for alert in fold(state, record)
    ]
    assert values == unsent
