"""History in a real Redis: what one process makes of the same ledger, and there again whatever Redis lost."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.simulate import read_scenario, simulate
from services.simulate.records import Recorder
from streams.contracts.history import EVIDENCE, PARTS, TIERS, arena_history, model_history
from streams.contracts.topics import LEDGER, MODELS, VOTES
from streams.fairness.fold import fold as watch
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.snapshot import encode_history as encode_evidence
from streams.fairness.stage import read_book
from streams.fold.redis_store import FoldStore, WriteResult
from streams.ledger.codec import Notice, decode
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.history import RatingsHistory
from streams.ratings.snapshot import encode_history
from tests.support.eventually import eventually
from tests.support.pipeline import COUNTED, Pipeline, make_votes
from tests.support.stack import TestRedis

pytestmark = pytest.mark.integration

REPUBLISHED = 30.0
DAY = 86_400
SCENARIO = """
name = "small-removal"
about = "One model of twelve leaves the sampler while the registry says active"
battles = 4_500

[[models]]
name = "model"
count = 12
provider = "lab"
providers = 4
license = ["proprietary", "open_weight"]
strength = { mean = 1000, sd = 80 }

[[events]]
kind = "remove"
models = "model-07"
at = 2_000
"""


@pytest.fixture(autouse=True)
def _topics(pipeline: Pipeline, tmp_path: Path) -> None:
    chosen = tmp_path / "fairness.toml"
    chosen.write_text("[default]\nreview_battles = 500\n")
    pipeline.environ = {**pipeline.environ, "ISONOMY_FAIRNESS_FILE": str(chosen)}
    pipeline.create_topics(votes=1)


def parts(pipeline: Pipeline) -> dict[str, bytes | None]:
    keys = pipeline.settings.redis.keys
    with pipeline.redis as redis:
        return dict(zip(PARTS, redis.mget([keys.history("text", part) for part in PARTS]), strict=True))


def over_days(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Votes of four days, the last of them yesterday's."""
    votes = make_votes(count, seed=61, start=start, labels=False)
    began = time.time() // DAY * DAY - 4 * DAY
    return [{**vote, "tstamp": began + (start + number) * 4 * DAY / 3_200} for number, vote in enumerate(votes)]


def refolded(pipeline: Pipeline) -> dict[str, bytes]:
    """The history that one undisturbed process makes of the ledger."""
    state = ArenaState("text", history=RatingsHistory())
    watched = ArenaFairness.start("text", read_book(pipeline.settings.fold).of("text"))
    for record in pipeline.topic(LEDGER.name):
        fold(state, decode(record.value), ArenaLimits(), elo.interpreted, time.time())
        watch(watched, decode(record.value))
    return {**encode_history(state), EVIDENCE: encode_evidence(watched)}


def wait_for(pipeline: Pipeline, expected: Mapping[str, bytes]) -> None:
    eventually(lambda: parts(pipeline) == expected, REPUBLISHED, every=0.1)


def test_history_follows_from_the_ledger_and_comes_back_after_every_loss(
    pipeline: Pipeline, redis_server: TestRedis
) -> None:
    pipeline.worker("intake", stages="intake").start().wait_ready()
    stages = "ratings,fairness"
    first = pipeline.worker("first", stages=stages).start().wait_ready()
    pipeline.produce(votes := over_days(2_400))
    pipeline.wait_counted(2_400)
    expected = refolded(pipeline)
    wait_for(pipeline, expected)

    history = model_history("model-3", parts(pipeline))
    assert history is not None
    assert history.tiers["day"].t == [votes[0]["tstamp"] + day * DAY for day in (1, 2)]
    assert len(history.evidence.t) == 4
    (day, hour, minute) = (arena_history("text", parts(pipeline)).tiers[tier.name] for tier in TIERS)
    assert day.battles == hour.battles == [800, 1_600]
    assert minute.battles == [1_600], "it keeps a day"

    # Redis loses everything: the worker has it.
    redis_server.flush()
    wait_for(pipeline, expected)

    # A restart has it from what was saved.
    assert first.stop() == 0
    second = pipeline.worker("second", stages=stages).start().wait_ready()
    pipeline.produce(over_days(300, start=2_400))
    pipeline.wait_counted(2_700)
    expected = refolded(pipeline)
    assert len(arena_history("text", expected).tiers["day"].t) == 3
    wait_for(pipeline, expected)
    assert "refolding" not in second.log()

    # Nobody has it but the ledger.
    second.process.kill()
    redis_server.flush()
    third = pipeline.worker("third", stages=stages).start().wait_ready()
    wait_for(pipeline, expected)
    assert "ratings: refolding" in third.log()
    assert third.stop() == 0


def test_the_evidence_against_a_removal_rises_over_the_level_of_a_page_after_its_onset(pipeline: Pipeline) -> None:
    simulation = simulate(read_scenario(SCENARIO), 1)
    recorder = Recorder(simulation.world, simulation.world.scenario.clock.start)
    models: list[tuple[bytes, bytes | None]] = []
    votes: list[tuple[bytes, bytes | None]] = []
    for record in simulation:
        if isinstance(record, Notice):
            key, value = recorder.model(record)
            models.append((key.encode(), None if value is None else value.encode()))
        else:
            found = recorder.votes(record)
            votes += [(k.encode(), v.encode()) for k, v in zip(found.keys, found.values, strict=True)]
    pipeline.worker("stack", stages="intake,ratings,fairness").start().wait_ready()
    pipeline.produce_raw(MODELS.name, models)
    eventually(lambda: len(pipeline.topic(LEDGER.name)) >= len(models), COUNTED, every=0.3)
    pipeline.produce_raw(VOTES.name, votes)
    pipeline.wait_counted(len(votes))
    wait_for(pipeline, refolded(pipeline))

    history = model_history("model-07", parts(pipeline))
    assert history is not None
    (removal,) = (each for each in history.alerts if each.kind == "silent_removal")
    curve = history.evidence
    assert curve.page is not None
    above = [at for at, evidence in zip(curve.t, curve.log10_e_removal, strict=True) if evidence >= curve.page]
    assert removal.starts_at < removal.detected_at <= above[0]
    assert above == curve.t[-len(above) :], "and stays there"
    assert curve.share[-1] == 0
    assert curve.declared[-1] == pytest.approx(2 / 12, abs=1e-6)
    first = arena_history("text", parts(pipeline)).evidence.subjects[0]
    assert first.subject.model == "model-07"


async def test_a_part_of_a_state_is_not_saved_over_a_loss_that_nobody_noticed(
    pipeline: Pipeline, redis_server: TestRedis
) -> None:
    async with Redis.from_url(pipeline.redis_url) as redis:
        store = FoldStore(redis, pipeline.settings.redis.keys, "ratings")
        epoch = await store.claim("text")
        assert await store.save("text", epoch, {"meta": b"1", "board": b"1"}, whole=False) is WriteResult.DONE
        redis_server.flush()
        assert await store.save("text", epoch, {"meta": b"2"}, whole=False) is WriteResult.LOST
        assert await store.load("text") == {}
        assert await store.save("text", epoch, {"meta": b"2", "board": b"1"}, whole=True) is WriteResult.DONE
        assert await store.save("text", epoch, {"meta": b"3"}, whole=False) is WriteResult.DONE
        later = await store.claim("text")
        assert await store.save("text", epoch, {"meta": b"4"}, whole=True) is WriteResult.REFUSED
        assert (await store.load("text"))["meta"] == b"3"
        assert later > epoch
