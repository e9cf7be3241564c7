"""A key that sends almost only invalid items is quarantined, and no other key is."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.quarantine import FIRST_SECONDS, FORGIVEN_SECONDS, LONGEST_SECONDS, WINDOW_SECONDS, Quarantine

WHY = "unknown_winner: winner 'draw' is none of model_a, …"


def quarantine() -> Quarantine:
    return Quarantine(share=0.9, least=1_000)


def test_the_share_and_the_least_are_bounds_that_must_be_passed_and_reached() -> None:
    assert not quarantine().note("a", 1_000, 900, WHY, 0.0)
    assert not quarantine().note("a", 999, 999, WHY, 0.0)
    assert quarantine().note("a", 1_000, 901, WHY, 0.0)
    assert not Quarantine(share=1.0, least=1).note("a", 10**6, 10**6, WHY, 0.0)


def test_small_requests_add_up_and_the_first_of_the_window_is_named() -> None:
    kept = quarantine()
    assert not any(kept.note("a", 1, 1, WHY if number == 0 else "later", number / 20) for number in range(999))
    assert kept.note("a", 1, 1, "later", 50.0)
    assert kept.why("a") == f"1,000 of its last 1,000 items were refused, first with {WHY}"


def test_items_of_more_than_a_minute_ago_count_no_more() -> None:
    kept = quarantine()
    assert not kept.note("a", 999, 999, WHY, 0.0)
    assert not kept.note("a", 999, 999, WHY, float(WINDOW_SECONDS))
    assert kept.note("a", 1, 1, WHY, WINDOW_SECONDS + 1.0)


@given(st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 20)), max_size=60))
def test_half_bad_is_never_set_aside_however_it_comes(requests: list[tuple[int, float]]) -> None:
    kept, now = quarantine(), 0.0
    for half, pause in requests:
        now += pause
        assert not kept.note("a", 2 * half, half, WHY, now)
        assert len(kept.of["a"].seconds) <= WINDOW_SECONDS
    assert kept.left("a", now) == 0


def test_each_lasts_twice_as_long_until_it_is_forgiven() -> None:
    kept, now, lengths = quarantine(), 0.0, []
    for _ in range(9):
        assert kept.note("a", 1_000, 1_000, WHY, now)
        lengths.append(kept.left("a", now))
        assert not kept.note("a", 50_000, 50_000, WHY, now + 1), "what was under way is judged already"
        now += lengths[-1]
        assert kept.left("a", now) == 0
        assert not kept.note("a", 999, 999, WHY, now), "it begins anew"
        kept.of["a"].seconds.clear()
    assert lengths == [FIRST_SECONDS * 2**each for each in range(6)] + [LONGEST_SECONDS] * 3
    assert kept.note("a", 1_000, 1_000, WHY, now + FORGIVEN_SECONDS)
    assert kept.left("a", now + FORGIVEN_SECONDS) == FIRST_SECONDS


def test_others_are_untouched_and_those_that_left_are_forgotten() -> None:
    kept = quarantine()
    assert kept.note("a", 1_000, 1_000, WHY, 0.0)
    assert not kept.note("b", 1_000, 0, "", 0.0)
    assert (kept.left("a", 0.0), kept.left("b", 0.0)) == (FIRST_SECONDS, 0.0)
    kept.keep({"b"})
    assert list(kept.of) == ["b"]
