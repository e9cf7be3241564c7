"""The polling helpers return what became true, and say what never did."""

import pytest

from tests.support.eventually import eventually, eventually_async


def test_it_returns_the_first_true_value() -> None:
    values = iter([0, "", 3])
    assert eventually(lambda: next(values)) == 3


def test_a_failed_assertion_is_tried_again() -> None:
    values = iter([1, 2])

    def condition() -> bool:
        assert next(values) == 2
        return True

    assert eventually(condition)


def test_it_gives_up_and_shows_the_last_value() -> None:
    with pytest.raises(AssertionError, match=r"not true within 0\.\d+ s: .*last: 0"):
        eventually(lambda: 0, 0.05)


def test_other_errors_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)


async def test_the_async_one_takes_functions_and_coroutine_functions() -> None:
    values = iter([0, 1, 0, 2])

    async def condition() -> int:
        return next(values)

    assert await eventually_async(lambda: next(values)) == 1
    assert await eventually_async(condition) == 2
    with pytest.raises(AssertionError, match="not true within"):
        await eventually_async(lambda: False, 0.05)
