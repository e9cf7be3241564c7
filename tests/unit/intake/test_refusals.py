"""Too much of an arena refused is known, and of no other; the log decides, and neither fetches nor restarts."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.intake.reject_limit import LEAST, Excess, Refusals
from tests.unit.intake.making import seeded

NEVER = 10**9
GOOD, BAD = False, True


def observed(refusals: Refusals, records: list[tuple[str, bool]], cuts: list[int] | tuple[()] = ()) -> list[str]:
    """Take in pairs of an arena and whether it was refused; returns the arenas that are over a limit."""
    for start, stop in zip([0, *cuts], [*cuts, len(records)], strict=True):
        piece = records[start:stop]
        names = list(dict.fromkeys(arena for arena, _ in piece))
        of = np.array([names.index(arena) for arena, _ in piece], np.int32)
        refusals.observe(names, of, np.array([refused for _, refused in piece], np.bool_))
    return list(refusals.over)


def of(arena: str, *outcomes: bool) -> list[tuple[str, bool]]:
    return [(arena, outcome) for outcome in outcomes]


def test_nothing_refused_is_fine() -> None:
    assert observed(Refusals(run=1, ratio=0.0, window=1), of("text", *[GOOD] * 5)) == []


def test_a_run_is_too_long_at_its_limit_and_not_before() -> None:
    refusals = Refusals(run=3, ratio=1.0, window=NEVER)
    assert observed(refusals, of("text", GOOD, BAD, BAD)) == []
    assert observed(refusals, of("text", BAD)) == ["text"]
    assert refusals.over["text"] == Excess(refused=3, records=4, run=3)


def test_one_usable_record_ends_a_run() -> None:
    assert observed(Refusals(run=3, ratio=1.0, window=NEVER), of("text", BAD, BAD, GOOD, BAD, BAD)) == []
    assert observed(Refusals(run=3, ratio=1.0, window=NEVER), of("text", BAD, BAD, BAD, GOOD)) == []


def test_runs_and_shares_are_an_arenas_own() -> None:
    between = [pair for _ in range(8) for pair in (*of("text", BAD), *of("code", GOOD))]
    assert observed(Refusals(run=3, ratio=0.5, window=8), between) == ["text"]


def test_records_that_name_no_arena_are_nobodys() -> None:
    assert observed(Refusals(run=3, ratio=0.5, window=100), [*of("", *[BAD] * 50), *of("text", GOOD)]) == [""]


def test_the_share_is_that_of_the_last_records_of_the_partition() -> None:
    refusals = Refusals(run=NEVER, ratio=0.5, window=20)
    assert observed(refusals, of("text", *[BAD, GOOD] * 10)) == []  # the share at the limit is allowed
    assert observed(refusals, of("text", BAD, BAD)) == ["text"]
    assert refusals.over["text"] == Excess(refused=11, records=20, run=2)
    assert observed(refusals, of("code", *[GOOD] * 20)) == []  # what left the window is forgotten


def test_few_records_say_nothing() -> None:
    refusals = Refusals(run=NEVER, ratio=0.5, window=1_000)
    assert observed(refusals, of("text", *[BAD] * 25)) == []
    assert observed(refusals, of("text", BAD)) == ["text"]


def test_names_that_are_gone_take_no_memory() -> None:
    refusals = Refusals(run=10, ratio=0.5, window=10)
    for number in range(200):
        observed(refusals, of(f"arena-{number}", BAD))
    assert len(refusals._names) <= 21
    assert observed(refusals, of("text", *[BAD] * 10)) == ["text"]


record_lists = st.lists(st.tuples(st.sampled_from(["text", "code", ""]), st.booleans()), max_size=120)


@settings(seeded, max_examples=150)
@given(record_lists, st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(1, 30), st.integers(0, 99))
def test_cuts_and_rebuilds_change_nothing(
    records: list[tuple[str, bool]], run: int, ratio: float, window: int, seed: int
) -> None:
    random = Random(seed)
    cuts = sorted(random.randint(0, len(records)) for _ in range(5))
    whole, cut, rebuilt = (Refusals(run, ratio, window) for _ in range(3))
    observed(whole, records)
    observed(cut, records, cuts)
    observed(rebuilt, records[-max(window, run) :])
    assert whole.over == cut.over == rebuilt.over


@settings(seeded, max_examples=150)
@given(record_lists, st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(1, 30))
def test_who_is_over_is_that_of_the_definition(
    records: list[tuple[str, bool]], run: int, ratio: float, window: int
) -> None:
    def over(arena: str) -> bool:
        own = [refused for each, refused in records[-max(window, run) :] if each == arena]
        recent = [refused for each, refused in records[-window:] if each == arena]
        too_long = len(own) >= run and all(own[-run:])
        return too_long or sum(recent) > ratio * max(len(recent), LEAST * window)

    expected = {arena for arena in ("text", "code", "") if over(arena)}
    assert set(observed(Refusals(run, ratio, window), records)) == expected
