"""How many different names a key may use within a day."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.budget import DAY, Budget


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("vwxyz"), st.floats(0, DAY / 2)), max_size=80))
def test_no_holder_uses_more_within_a_day_and_none_for_another(uses: list[tuple[str, str, float]]) -> None:
    budget, now = Budget[str](3), 0.0
    last: dict[tuple[str, str], float] = {}
    for holder, name, pause in uses:
        now += pause
        others = [at for (whose, what), at in last.items() if whose == holder and what != name and at + DAY > now]
        known = (holder, name) in last and last[holder, name] + DAY > now
        wait = budget.use(holder, name, now)
        if known or len(others) < 3:
            assert wait == 0
            last[holder, name] = now
            assert budget.count(holder, now) == len(others) + 1
        else:
            assert wait == min(others) + DAY - now


def test_a_name_that_is_used_again_stays_and_the_one_that_was_not_makes_room() -> None:
    budget = Budget[str](2)
    assert [budget.use("a", name, now) for now, name in enumerate(["one", "two", "one"])] == [0, 0, 0]
    assert budget.use("a", "three", DAY + 0.5) == 0.5
    assert budget.use("a", "three", DAY + 1.0) == 0
    assert budget.use("a", "two", DAY + 1.5) == 0.5


@given(st.lists(st.text("vwxyz", min_size=1, max_size=2), unique=True), st.sets(st.sampled_from("vwxyz")))
def test_many_at_once_are_as_many_one_by_one(names: list[str], before: set[str]) -> None:
    together, single = Budget[str](3), Budget[str](3)
    for each in sorted(before):
        assert together.use("a", each, 0.0) == single.use("a", each, 0.0)
    assert together.use_all("a", names, 1.0) == {name for name in names if single.use("a", name, 1.0)}
    assert together.used == single.used
    assert Budget[str](0).use_all("a", names, 1.0) == set()


def test_holders_of_yesterday_are_forgotten_and_nothing_grows() -> None:
    budget = Budget[str](5)
    for day in range(10):
        for number in range(100):
            assert budget.use(f"{day}-{number}", "x", day * DAY) == 0
        assert len(budget.used) <= 101
    budget.keep(lambda holder: holder == "9-7")
    assert list(budget.used) == ["9-7"]


def test_none_is_no_limit_and_remembers_nothing() -> None:
    budget = Budget[str](0)
    assert not any(budget.use("a", str(number), 0.0) for number in range(1_000))
    assert not budget.used
