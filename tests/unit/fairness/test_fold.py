"""The fold is a function of the sequence of rows and notices: not of blocks, of duplicates or of restarts."""

import dataclasses
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.alert import Kind, encode_alert
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.fairness.snapshot import decode_state, encode_state
from streams.ledger.codec import Block, Notice, compact, decode, encode_block, encode_notice
from tests.unit.fairness.arena import Ledger
from tests.unit.fairness.test_review_kinds import prompts

BRISK = FairnessSettings(
    false_pages="one in 1,000,000 battles",
    review_battles=1_000,
    window_reviews=3,
    ratings_reviews=1,
    repeat_reviews=2,
    undeclared_battles=10,
    max_undeclared=3,
    max_provider_share=0.21,
    retraction_votes=200,
)


def eventful():
    """A ledger in which nearly everything happens, notices in the middle of ticks included."""
    ledger = Ledger(settings=BRISK, seed=11)
    words = prompts(ledger.random, 0.1)
    for number in range(12):
        name = f"model-{number:02}"
        ledger.declare(
            name, 1.0 + number % 3, provider=f"lab-{number % 4}", license=["proprietary", "open_weight"][number % 2]
        )
    ledger.battles(2_530, prompts=words)
    for number in range(5):
        ledger.declare(f"variant-{number}", 1.0, provider="lab-x", visibility="private")
    ledger.battles(1_777, none=0.3)
    ledger.sample("model-03", 0.0)
    ledger.sample("stranger", 0.5)
    ledger.battles(2_031, prompts=words)
    ledger.declare("model-05", status="retired")
    ledger.declare("variant-1", gone=True)
    ledger.declare("variant-2", visibility="public")
    ledger.sample("model-07", 0.5)
    ledger.battles(2_345)
    ledger.sample("model-03", 1.0)
    for number in range(6):
        ledger.sample(f"unheard-{number}", 0.2)
    ledger.battles(1_900, prompts=words)
    return ledger


LEDGER = eventful()
EXPECTED = [encode_alert(alert) for alert in LEDGER.alerts]


def rows_between_notices(records):
    """Runs of rows and single notices; a run is (names, columns of all its rows)."""
    runs = []
    for record in records:
        if isinstance(record, Notice):
            runs.append(record)
        elif runs and isinstance(runs[-1], list):
            runs[-1].append(record)
        else:
            runs.append([record])
    return runs


def joined(blocks):
    """One block made of many; their dictionaries are prefixes of the last one, prompts are coded again."""
    last = blocks[-1].rows
    parts = {}
    for field in dataclasses.fields(last):
        columns = [getattr(block.rows, field.name) for block in blocks]
        if isinstance(columns[0], np.ndarray) and field.name != "prompt":
            parts[field.name] = np.concatenate(columns)
        else:
            parts[field.name] = columns[-1]
    words = [
        [b.rows.prompts[c] for c in b.rows.prompt] if b.rows.prompt is not None else [""] * len(b.rows) for b in blocks
    ]
    every = [word for part in words for word in part]
    dictionary = ["", *dict.fromkeys(word for word in every if word)]
    number = {word: index for index, word in enumerate(dictionary)}
    parts["prompts"], parts["prompt"] = dictionary, np.array([number[word] for word in every], np.int32)
    return type(last)(**parts)


RUNS = [run if isinstance(run, Notice) else joined(run) for run in rows_between_notices(LEDGER.records)]


def cut(random):
    """The same rows in other blocks, some of them written twice."""
    for run in RUNS:
        if isinstance(run, Notice):
            yield run
            if random.random() < 0.3:
                yield run
            continue
        at = 0
        while at < len(run):
            end = min(len(run), at + random.choice([1, 7, 99, 100, 101, 640, 3_000]))
            again = max(0, at - random.choice([0, 0, 3, 150]))  # a crash writes these a second time
            rows = run.take(slice(again, end))
            yield Block("text", compact(rows) if random.random() < 0.5 else rows, {0: int(rows.offset[-1])})
            at = end


def test_the_eventful_ledger_is_eventful():
    assert {alert.kind for alert in LEDGER.alerts} >= {
        Kind.SILENT_REMOVAL,
        Kind.SHARE_DRIFT,
        Kind.UNANNOUNCED_RETIREMENT,
        Kind.PRIVATE_VARIANTS,
        Kind.SCORE_RETRACTION,
        Kind.BEST_OF_N,
        Kind.UNDECLARED_MODEL,
        Kind.DATA_INEQUALITY,
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_votes_in_other_blocks_give_the_same_alerts(seed):
    random = Random(seed)
    state = ArenaFairness.start("text", BRISK)
    alerts = [encode_alert(alert) for record in cut(random) for alert in fold(state, record)]
    assert alerts == EXPECTED


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_a_restart_anywhere_gives_the_same_alerts(seed):
    random = Random(seed)
    state = ArenaFairness.start("text", BRISK)
    alerts = []
    for record in cut(random):
        alerts += [encode_alert(alert) for alert in fold(state, record)]
        if random.random() < 0.2:
            state = decode_state(encode_state(state), BRISK)
    assert alerts == EXPECTED


def test_the_ledger_as_it_is_on_the_wire_gives_the_same_alerts():
    state = ArenaFairness.start("text", BRISK)
    alerts = []
    for record in LEDGER.records:
        for value in [encode_notice(record)] if isinstance(record, Notice) else encode_block(record):
            alerts += [encode_alert(alert) for alert in fold(state, decode(value))]
    assert alerts == EXPECTED


def test_a_ledger_folded_twice_changes_nothing():
    state = ArenaFairness.start("text", BRISK)
    for record in LEDGER.records:
        fold(state, record)
    before = encode_state(state)
    for record in LEDGER.records:
        assert fold(state, record) == []
    assert encode_state(state) == before


def test_ids_are_unique_per_occurrence_and_every_end_has_a_beginning():
    fired, open_now = set(), {}
    for alert in LEDGER.alerts:
        if alert.status == "firing":
            assert open_now.get(alert.fingerprint, alert.id) == alert.id
            assert alert.id in open_now.values() or alert.id not in fired
            fired.add(alert.id)
            open_now[alert.fingerprint] = alert.id
        else:
            assert open_now.pop(alert.fingerprint) == alert.id
            assert alert.ends_at >= alert.starts_at
    assert sorted(open_now.values()) == sorted(alert.id for alert in LEDGER.firing())


def test_counts_are_those_of_the_rows():
    facts, names = LEDGER.state.scene.facts, LEDGER.names
    blocks = [record.rows for record in LEDGER.records if isinstance(record, Block)]
    shown = [rows.models[code] for rows in blocks for code in np.concatenate([rows.model_a, rows.model_b])]
    assert facts.rows == sum(map(len, blocks)) == LEDGER.rows
    assert facts.votes == sum(int((rows.winner != 4).sum()) for rows in blocks)
    behind = facts.rows % BRISK.tick_battles
    for name in names[:12]:
        number = facts.roster.models[name]
        counted = facts.window.total[number] + facts.tick_hits[0, number]
        assert counted == shown.count(name), (name, behind)


def test_names_outside_the_registry_are_followed_up_to_a_limit():
    followed = [
        name for name in LEDGER.state.scene.facts.roster.models if name not in LEDGER.state.scene.facts.roster.known
    ]
    assert followed[0] == "stranger"
    assert len(followed) == BRISK.max_undeclared


@pytest.mark.parametrize("rows", [0, 1])
def test_a_block_of_hardly_anything_is_folded(rows):
    state = ArenaFairness.start("text", BRISK)
    some = next(record for record in LEDGER.records if isinstance(record, Block))
    assert fold(state, Block("text", some.rows.take(slice(0, rows)), {0: 5})) == []
    assert state.watermark == {"votes/0": 5}
