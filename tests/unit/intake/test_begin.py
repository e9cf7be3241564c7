"""Where intake begins: at its own commit, otherwise where the ledger shows, and never after an unread record."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake.begin import AnotherLog, KnownOffsets, RecordsGone, begin
from tests.unit.intake.making import seeded


def known(**changes: Any) -> KnownOffsets:
    """A partition with 1,000 records of which 400 are committed by us."""
    usual: dict[str, Any] = {"place": "votes/2", "first": 0, "end": 1_000, "commit": 400, "ours": True, "proven": None}
    return KnownOffsets(**usual | changes)


def test_a_commit_of_ours_is_where_it_begins() -> None:
    assert begin(known()) == 400
    assert begin(known(proven=900)) == 400
    assert begin(known(commit=1_000)) == 1_000


def test_what_was_never_read_is_read_from_the_first_record_of_the_log() -> None:
    assert begin(known(commit=None, ours=False)) == 0
    assert begin(known(commit=None, ours=False, first=70)) == 70


def test_a_foreign_commit_of_what_was_never_read_is_not_believed() -> None:
    assert begin(known(commit=1_000, ours=False, first=70)) == 70


def test_a_foreign_commit_ahead_is_not_believed_and_the_ledger_says_where_to_begin() -> None:
    assert begin(known(commit=1_000, ours=False, proven=400, whole=350)) == 350


def test_a_foreign_commit_that_goes_back_is_followed() -> None:
    assert begin(known(commit=10, ours=False, proven=400, whole=350)) == 10


def test_a_foreign_commit_from_before_the_log_begins_is_not_followed() -> None:
    assert begin(known(commit=10, ours=False, proven=400, whole=350, first=20)) == 350


def test_commits_that_are_gone_are_found_again_in_the_ledger() -> None:
    assert begin(known(commit=None, ours=False, proven=400, whole=350)) == 350


def test_it_begins_nowhere_before_the_log_does() -> None:
    assert begin(known(commit=None, ours=False, proven=400, whole=350, first=380)) == 380


@pytest.mark.parametrize("reached", [{"commit": 1_001}, {"commit": 5, "ours": False, "proven": 1_001}])
def test_a_log_that_ends_before_what_was_read_is_another_one(reached: dict[str, int]) -> None:
    with pytest.raises(AnotherLog, match=r"votes/2 ends at 1000, but 1001 records .* ISONOMY_TOPIC_PREFIX"):
        begin(known(**reached))


@pytest.mark.parametrize("commit", [None, 10, 900])
def test_a_log_that_holds_another_record_than_the_ledger_says_is_another_one_however_long(commit: int | None) -> None:
    with pytest.raises(AnotherLog, match=r"votes/2 holds another record at offset 399 .* ISONOMY_TOPIC_PREFIX"):
        begin(known(commit=commit, ours=False, proven=400, whole=350, other=399))


@pytest.mark.parametrize("reached", [{"commit": 400}, {"commit": 900, "ours": False, "proven": 400}])
def test_records_that_are_gone_and_were_never_taken_stop_it(reached: dict[str, int]) -> None:
    with pytest.raises(RecordsGone, match=r"100 records are gone .*accept-gap votes/2 --up-to 500") as stopped:
        begin(known(first=500, **reached))
    assert stopped.value.missing == 100


def test_an_accepted_gap_is_passed_over() -> None:
    assert begin(known(first=500, accepted=500)) == 500
    assert begin(known(first=500, accepted=900)) == 500


def test_a_gap_that_grew_since_it_was_accepted_stops_it_again() -> None:
    with pytest.raises(RecordsGone) as stopped:
        begin(known(first=500, accepted=450))
    assert stopped.value.missing == 50


def test_an_acceptance_moves_nothing_where_nothing_is_missing() -> None:
    assert begin(known(accepted=900)) == 400
    assert begin(known(first=400, accepted=0)) == 400


offsets = st.integers(0, 60)
partitions = st.builds(
    lambda first, more, commit, ours, proven, before, accepted: KnownOffsets(
        "votes/2",
        first,
        first + more,
        commit,
        ours and commit is not None,
        proven,
        max(0, (proven or 0) - before),
        None,
        accepted,
    ),
    offsets,
    offsets,
    st.none() | offsets,
    st.booleans(),
    st.none() | offsets,
    st.integers(0, 70),
    offsets,
)


@settings(seeded, max_examples=2_000)
@given(partitions)
def test_no_record_is_passed_over_that_nobody_took_and_nobody_accepted(each: KnownOffsets) -> None:
    # Of a fetch that was being written some blocks may be missing.
    taken, whole = (each.commit, each.commit) if each.ours else (each.proven, each.whole)
    # Of a partition that was never read, nothing of what is gone was ever counted on.
    gone = range(each.first if taken is None else taken, each.first)
    missing = len([offset for offset in gone if offset >= each.accepted])
    if taken is not None and taken > each.end:
        with pytest.raises(AnotherLog):
            begin(each)
    elif missing:
        with pytest.raises(RecordsGone) as stopped:
            begin(each)
        assert stopped.value.missing == missing
    else:
        position = begin(each)
        assert each.first <= position <= each.end, "a place that the log has"
        passed_over = range(each.first if taken is None or whole is None else whole, position)
        assert all(offset < each.first for offset in passed_over)
        assert all(offset < each.accepted for offset in range(taken or each.first, position))
