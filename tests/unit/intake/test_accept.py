"""A fetch becomes one block an arena, refusals and a number of duplicates."""

from types import SimpleNamespace

import numpy as np

from streams.contracts.reasons import Reason
from streams.intake.accept import Source, accept, remember
from streams.intake.decode import decode
from streams.intake.dedup import SeenIds
from streams.intake.records import Records, read
from streams.intake.reject_limit import Refusals
from tests.unit.intake.making import as_records, body, votes

TIMES = [(7, None), (8, 1_700_000_000_000)]


def source(run: int = 10**9, ratio: float = 1.0, window: int = 10**9) -> Source:
    return Source(SeenIds(10_000, 10_000), Refusals(run, ratio, window), 0)


def joined(*fetches: Records) -> Records:
    return Records(
        [key for each in fetches for key in each.keys],
        [value for each in fetches for value in each.values],
        *(np.concatenate([getattr(each, name) for each in fetches]) for name in ("partition", "offset", "recorded")),
    )


def test_a_record_of_the_oldest_format_has_no_time() -> None:
    fetched = [SimpleNamespace(key=b"a", value=body(id="a"), offset=offset, timestamp=time) for offset, time in TIMES]
    assert read(3, fetched).recorded.tolist() == [-1, 1_700_000_000_000]


def test_each_arena_gets_its_own_block() -> None:
    pairs = [(b"a", body(id="a")), (b"b", body(id="b", arena="vision", model_a="z")), (b"c", body(id="c"))]
    accepted = accept(as_records(pairs, first=10), {0: source()})
    assert {block.arena: block.rows.offset.tolist() for block in accepted.blocks} == {"text": [10, 12], "vision": [11]}
    assert [block.through for block in accepted.blocks] == [{0: 12}] * 2
    assert [block.rows.models for block in accepted.blocks] == [["x", "y"], ["z", "y"]]


def test_a_duplicate_is_dropped_and_counted() -> None:
    sources = {0: source()}
    again = as_records([(b"a", body(id="a", winner="model_b")), (b"b", body(id="b"))], first=1)
    assert accept(as_records([(b"a", body(id="a"))]), sources).duplicates == 0
    accepted = accept(again, sources)
    assert accepted.duplicates == 1
    assert [block.rows.offset.tolist() for block in accepted.blocks] == [[2]]


def test_an_id_is_unique_within_its_arena_only() -> None:
    sources = {0: source()}
    pairs = [(b"a", body(id="a")), (b"a", body(id="a", arena="vision")), (b"a", body(id="a", arena="vision"))]
    accepted = accept(as_records(pairs), sources)
    assert {block.arena: block.rows.offset.tolist() for block in accepted.blocks} == {"text": [0], "vision": [1]}
    assert accepted.duplicates == 1
    again = accept(
        as_records([(b"a", body(id="a", arena=arena)) for arena in ("text", "vision", "code")], first=3), sources
    )
    assert {block.arena: block.rows.offset.tolist() for block in again.blocks} == {"code": [5]}
    assert again.duplicates == 2


def test_the_block_accounts_for_what_it_does_not_hold() -> None:
    pairs = [(b"a", body(id="a")), (b"a", body(id="a")), (b"b", b"garbage"), (None, None)]
    accepted = accept(as_records(pairs), {0: source()})
    [block] = accepted.blocks
    assert (len(block.rows), block.through) == (1, {0: 3})
    assert [(reject.index, reject.reason) for reject in accepted.rejects] == [
        (2, Reason.INVALID_JSON),
        (3, Reason.EMPTY),
    ]


def test_a_fetch_of_nothing_usable_has_no_block() -> None:
    sources = {0: source()}
    assert accept(as_records([(b"a", b"{}")]), sources).blocks == []
    assert sources[0].position == 1


def test_a_refused_record_does_not_make_its_id_known() -> None:
    sources = {0: source()}
    accept(as_records([(b"a", body(id="a", winner="x"))]), sources)
    assert accept(as_records([(b"a", body(id="a"))], first=1), sources).duplicates == 0


def test_partitions_do_not_know_each_others_ids() -> None:
    fetch = joined(as_records(votes(3), partition=0), as_records(votes(3), partition=2, first=50))
    sources = {0: source(), 1: source(), 2: source()}
    accepted = accept(fetch, sources)
    [block] = accepted.blocks
    assert (accepted.duplicates, block.through) == (0, {0: 2, 2: 52})
    assert [each.position for each in sources.values()] == [3, 0, 53]


def test_partitions_laid_one_after_the_other_come_out_by_record_time() -> None:
    """Each keeps its own order, also where a clock steps back; duplicates and refusals go from between."""
    first = as_records([(b"a", body(id="a")), (b"b", b"garbage"), (b"c", body(id="c")), (b"a", body(id="a"))])
    other = as_records([(b"d", b""), (b"e", body(id="e")), (b"f", body(id="f"))], partition=1)
    first.recorded[:] += [10, 30, 20, 50]
    other.recorded[:] += [25, 40, 5]
    accepted = accept(joined(first, other), {0: source(), 1: source()})
    [block] = accepted.blocks
    assert list(zip(block.rows.partition.tolist(), block.rows.offset.tolist(), strict=True)) == [
        (0, 0), (0, 2), (1, 1), (1, 2),
    ]  # fmt: skip
    assert [reject.index for reject in accepted.rejects] == [4, 1]
    assert (accepted.duplicates, block.through) == (1, {0: 3, 1: 2})


def test_the_position_follows_gaps() -> None:
    sources = {0: source()}
    fetch = as_records(votes(2))
    fetch.offset[:] = [5, 90]
    accept(fetch, sources)
    assert sources[0].position == 91


def test_a_large_fetch_of_duplicates_keeps_only_its_words() -> None:
    sources = {0: source()}
    pairs = votes(1_500)
    accept(as_records(pairs), sources)
    new = (b"new", body(id="new", model_a="p", model_b="q"))
    [block] = accept(as_records([*pairs, new], first=1_500), sources).blocks
    assert block.rows.models == ["p", "q"]


def refused_of(arena: str, count: int) -> list[tuple[bytes, bytes]]:
    return [(b"bad%d" % each, body(id=f"bad{each}", arena=arena, winner="left")) for each in range(count)]


def test_an_arena_of_which_too_many_are_refused_holds_up_no_other_and_is_known() -> None:
    sources = {0: source(run=3), 1: source(run=3)}
    fetch = joined(as_records([*refused_of("vision", 3), *votes(2)]), as_records(refused_of("vision", 2), partition=1))
    accepted = accept(fetch, sources)
    assert [(block.arena, block.rows.offset.tolist()) for block in accepted.blocks] == [("text", [3, 4])]
    assert len(accepted.rejects) == 5
    assert list(sources[0].refusals.over) == ["vision"]
    assert not sources[1].refusals.over


def test_a_refused_vote_is_its_arenas_where_it_says_which() -> None:
    pairs = [
        *refused_of("vision", 1),
        (b"other", body(id="v", arena="code")),
        (b"v", body(id="v", model_a=7)),
        (b"v", body(id="v", arena="No Arena")),
        (b"v", body(id="v", arena=[])),
        (b"v", b"garbage"),
        (b"v", None),
    ]
    assert [reject.arena for reject in decode(as_records(pairs)).rejects] == ["vision", "code", "text", "", "", "", ""]


def test_duplicates_are_not_refusals() -> None:
    sources = {0: source(run=3, ratio=0.1, window=4)}
    for turn in range(5):
        accept(as_records(votes(2), first=2 * turn), sources)


def test_remembering_is_accepting_without_the_output() -> None:
    pairs = [*votes(4), (b"v1", body(id="v1")), (b"z", b"garbage")]
    one, other = {0: source()}, {0: source()}
    accept(as_records(pairs), one)
    remember(as_records(pairs), decode(as_records(pairs)), other)
    again = as_records(votes(6), first=6)
    assert accept(again, one).duplicates == accept(again, other).duplicates == 4
    assert one[0].position == other[0].position
