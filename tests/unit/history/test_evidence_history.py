"""Points of evidence: one a review lately, fewer before, never more than is kept, and the largest evidence stays."""

from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.alert import Status, Subject
from streams.contracts.history_wire import decode_evidence
from streams.fairness.evidence_history import EARLY, EPISODES, LATE, EvidenceHistory, Point
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.snapshot import HISTORY_FIELD, decode_state, encode_history, encode_state
from streams.fairness.view import fairness_view
from streams.fold.checkpoint import DamagedState
from streams.ledger.codec import Block, Notice
from tests.unit.fairness.test_fold import BRISK, LEDGER
from tests.unit.intake.making import seeded


def point(number: int, subjects: int = 3, evidence: float = 0.0) -> Point:
    values = np.full(subjects, evidence, np.float32)
    half = np.full(subjects, evidence / 2, np.float32)
    return Point(float(number), 1, 10 * number, 6.0, 6.8, 0.0, values, values, half, np.full(subjects, number))


def subjects_of(n: int) -> list[Subject]:
    return [Subject(model=f"m{number}") for number in range(n)]


@settings(seeded, max_examples=40)
@given(st.integers(1, 2_500), st.integers(0, 10_000))
def test_points_are_bounded_close_of_late_and_account_for_every_review(reviews: int, seed: int) -> None:
    history, random = EvidenceHistory(), Random(seed)
    spikes = [random.choice([0.0, 0.0, random.uniform(0, 40)]) for _ in range(reviews)]
    for number, evidence in enumerate(spikes, start=1):
        history.add(point(number, 3 + number // 400, evidence))
        assert len(history.points) <= LATE + EARLY + 1
    spans = [each.reviews for each in history.points]
    assert sum(spans) == reviews
    assert spans[-LATE:] == [1] * min(LATE, reviews)
    early = spans[:-LATE]
    assert not early or (set(early[:-1]) <= {early[0]} and early[-1] <= early[0])
    assert not early or early[0] & (early[0] - 1) == 0
    ends = np.cumsum(spans)
    assert [each.t for each in history.points] == ends.tolist()
    largest = [max(part.tolist()) for part in np.split(np.array(spikes, np.float32), ends[:-1])]
    assert [float(each.log10_e[0]) for each in history.points] == largest


@settings(seeded, max_examples=30)
@given(st.integers(1, 900), st.integers(0, 900))
def test_a_history_read_back_goes_on_as_the_original_would(before: int, after: int) -> None:
    history = EvidenceHistory()
    for number in range(before):
        history.add(point(number, 2 + number // 300, number % 7))
    again = EvidenceHistory.decode(history.encode("text", subjects_of(8)))
    for number in range(before, before + after):
        history.add(point(number, 5, number % 5))
        again.add(point(number, 5, number % 5))
    assert again.encode("text", subjects_of(8)) == history.encode("text", subjects_of(8))


def test_a_year_at_100_000_battles_a_day_is_of_the_size_that_is_written_down() -> None:
    history = EvidenceHistory()
    for number in range(3_650):
        history.add(point(number, 100))
    assert len(history.points) <= LATE + EARLY
    assert history.points[0].reviews == 16
    assert len(history.encode("text", subjects_of(100))) < (LATE + EARLY) * (16 * 100 + 70)


# --- of the fold ------------------------------------------------------------------------------------------------------


def test_each_full_review_leaves_what_the_view_then_says() -> None:
    state, seen = ArenaFairness.start("text", BRISK), 0
    for record in LEDGER.records:
        fold(state, record)
        if len(state.history.points) > seen and state.scene.facts.rows % BRISK.review_battles == 0:
            view, newest = fairness_view(state), state.history.points[-1]
            for line in view.models:
                number = state.scene.facts.roster.models[line.model]
                assert newest.log10_e[number] == pytest.approx(line.log10_e, abs=1e-3)
                assert newest.log10_e_removal[number] == pytest.approx(line.log10_e_removal, abs=1e-3)
                assert newest.declared[number] == pytest.approx(line.declared_share_of_battles, abs=1e-5)
                assert newest.appearances[number] == line.battles
            assert (newest.t, newest.battles) == (view.as_of, view.battles)
            assert (newest.page, newest.warning) == (view.levels.log10_page, view.levels.log10_warning)
        seen = len(state.history.points)
    assert seen == LEDGER.rows // BRISK.review_battles > 5


def test_every_alert_is_remembered_from_its_onset_to_its_end() -> None:
    tier = decode_evidence(encode_history(LEDGER.state))
    told = {alert.id: alert for alert in LEDGER.alerts}
    assert [each.id for each in tier.alerts] == list(told)
    assert len(told) > 5
    for each in tier.alerts:
        last = told[each.id]
        assert (each.kind, each.severity, each.subject) == (last.kind, last.severity, last.subject)
        assert (each.starts_at, each.detected_at, each.ends_at) == (last.starts_at, last.detected_at, last.ends_at)
        assert (each.ends_at is None) == (last.status is Status.FIRING)


def test_of_too_many_alerts_the_earliest_are_forgotten() -> None:
    history, alert = EvidenceHistory(), LEDGER.alerts[0]
    alerts = [msgspec.structs.replace(alert, id=f"{number}") for number in range(EPISODES + 9)]
    history.note(alerts)
    assert list(history.episodes) == [each.id for each in alerts[9:]]


def test_where_blocks_are_cut_and_when_one_restarts_does_not_matter() -> None:
    state, random = ArenaFairness.start("text", BRISK), Random(5)
    for record in LEDGER.records:
        pieces = [record]
        if not isinstance(record, Notice):
            cut = random.randrange(len(record.rows))
            first, rest = record.rows.take(slice(None, cut)), record.rows.take(slice(cut, None))
            pieces = [Block("text", first, {}), Block("text", rest, record.through)]
        for piece in pieces:
            fold(state, piece)
        if random.random() < 0.3:
            state = decode_state(encode_state(state), BRISK)
    assert encode_history(state) == encode_history(LEDGER.state)


def test_a_history_that_is_damaged_missing_or_of_another_moment_is_a_damaged_state() -> None:
    fields = encode_state(LEDGER.state)
    packed = fields[HISTORY_FIELD]
    flipped = packed[:9] + bytes([packed[9] ^ 1]) + packed[10:]
    other = encode_state(ArenaFairness.start("text", BRISK))[HISTORY_FIELD]
    for damaged in (flipped, packed[:-1], b"", other):
        with pytest.raises(DamagedState):
            decode_state({**fields, HISTORY_FIELD: damaged}, BRISK)
    with pytest.raises(DamagedState, match="missing"):
        decode_state({name: value for name, value in fields.items() if name != HISTORY_FIELD}, BRISK)
