"""The id memory answers as a plain dictionary would, however the stream is cut, and after a rebuild."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake.dedup import SeenIds, marks_of
from tests.unit.intake.making import seeded

seeds = st.integers(0, 2**32 - 1)
horizons = st.sampled_from([0, 1, 2, 3, 7, 20, 50, 1_000])
spans = st.sampled_from([0, 1, 5, 30, 10_000])


def stream(random: Random, count: int, distinct: int) -> list[tuple[bytes, int, int]]:
    """Ids with repeats, offsets with gaps, record times that never go back."""
    offset = recorded = 0
    events = []
    for _ in range(count):
        offset += random.choice([1, 1, 1, 1, 2, 9])
        recorded += random.choice([0, 0, 0, 400, 999, 1_000, 2_500, 7_000])
        events.append((f"v{random.randrange(distinct)}".encode(), offset, recorded))
    return events


def by_dictionary(events: list[tuple[bytes, int, int]], records: int, seconds: int) -> list[bool]:
    """The definition: a duplicate stands within both horizons of the id's latest occurrence."""
    latest, fresh = {}, []
    for name, offset, recorded in events:
        before = latest.get(name)
        known = (
            before is not None
            and offset - before[0] <= max(records, 1)
            and recorded // 1000 - before[1] // 1000 <= seconds
        )
        fresh.append(not known)
        latest[name] = (offset, recorded)
    return fresh


def ask(seen: SeenIds, events: list[tuple[bytes, int, int]], random: Random | None = None):
    """What the memory says, for any cut of the events."""
    fresh, done = [], 0
    while done < len(events):
        size = random.randint(0, 40) if random else len(events)
        piece = events[done : done + size]
        names, offset, recorded = zip(*piece, strict=True) if piece else ((), (), ())
        fresh += seen.fresh(
            marks_of(names, ["text"] * len(names)), np.array(offset, np.int64), np.array(recorded, np.int64)
        ).tolist()
        done += len(piece)
    return fresh


@settings(seeded, max_examples=200)
@given(seeds, horizons, spans, st.sampled_from([3, 30, 150, 400]))
def test_it_answers_as_a_dictionary_would(seed: int, records: int, seconds: int, distinct: int) -> None:
    random = Random(seed)
    events = stream(random, 400, distinct)
    assert ask(SeenIds(records, seconds), events, random) == by_dictionary(events, records, seconds)


@settings(seeded, max_examples=50)
@given(seeds, horizons, spans)
def test_two_cuts_of_one_stream_give_one_answer(seed: int, records: int, seconds: int) -> None:
    events = stream(Random(seed), 500, 60)
    answers = [ask(SeenIds(records, seconds), events, cut) for cut in (None, Random(1), Random(2))]
    assert answers[0] == answers[1] == answers[2]


@settings(seeded, max_examples=100)
@given(seeds, horizons, spans, st.integers(0, 400))
def test_a_rebuild_from_the_window_decides_the_same_from_then_on(
    seed: int, records: int, seconds: int, at: int
) -> None:
    random = Random(seed)
    events = stream(random, 500, random.choice([5, 60, 300]))
    before, after = events[:at], events[at:]
    position = after[0][1]
    original, rebuilt = SeenIds(records, seconds), SeenIds(records, seconds)
    ask(original, before, random)
    ask(rebuilt, [event for event in before if event[1] >= position - max(records, 1)], random)
    assert ask(rebuilt, after, random) == ask(original, after, random)


def test_the_horizons_include_their_last_record_and_second() -> None:
    def second_is_known(offset: int, recorded: int) -> bool:
        return not ask(SeenIds(10, 5), [(b"v", 0, 999), (b"v", offset, recorded)])[1]

    assert second_is_known(10, 5_999)
    assert not second_is_known(11, 999)
    assert not second_is_known(1, 6_000)


def test_a_duplicate_prolongs_the_memory_of_its_id() -> None:
    events = [(b"v", offset, 0) for offset in (0, 9, 18, 27)]
    assert ask(SeenIds(10, 5), events) == [True, False, False, False]


@pytest.mark.parametrize("recorded", [-1, 0, 2**32 * 1_000, 1_700_000_000_000_000])
def test_an_id_is_known_again_whatever_the_clock_of_the_record(recorded: int) -> None:
    events = [(b"v", 0, recorded), (b"w", 1, recorded), (b"v", 2, recorded)]
    assert ask(SeenIds(10, 5), events) == [True, True, False]


def test_odd_ids_are_ids() -> None:
    names = [b"", b"\0", b"\0\0", b"\xff", b"v" * 64, b"v" * 63]
    events = [(name, offset, 0) for offset, name in enumerate([*names, *names])]
    assert ask(SeenIds(100, 5), events) == [True] * 6 + [False] * 6
