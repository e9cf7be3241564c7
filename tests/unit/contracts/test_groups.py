"""Which consumer groups our clients may join."""

import pytest

from streams.contracts.groups import refusal_of_group


@pytest.mark.parametrize(
    ("kind", "state"),
    [(None, None), ("", "Stable"), ("classic", "Stable"), ("Classic", "Empty"), ("consumer", "Empty")],
)
def test_a_classic_group_an_empty_one_and_an_unknown_one_may_be_joined(kind: str | None, state: str | None) -> None:
    assert refusal_of_group("isonomy.intake", kind, state) is None


@pytest.mark.parametrize(
    ("kind", "state"),
    [("consumer", "Stable"), ("consumer", "Reconciling"), ("consumer", None), ("share", "Empty"), ("streams", "Empty")],
)
def test_any_other_group_is_refused_by_name_and_type(kind: str, state: str | None) -> None:
    said = refusal_of_group("isonomy.intake", kind, state)
    assert said is not None
    assert f"isonomy.intake is of type {kind}" in said
