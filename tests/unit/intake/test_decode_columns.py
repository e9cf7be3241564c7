"""What a vote's fields become as columns."""

import numpy as np

from streams.contracts.vote import BOTH_BAD, MODEL_A, STYLE_FIELDS
from streams.intake.decode import decode
from streams.ledger.rows import Rows
from tests.unit.intake.making import ARRIVED_MS, as_records, body

STYLE = {name: number for number, name in enumerate(STYLE_FIELDS)}


def rows_of(*bodies: bytes) -> Rows:
    decoded = decode(as_records([(f"v{at}".encode(), each) for at, each in enumerate(bodies)], partition=3, first=40))
    assert not decoded.rejects
    return decoded.rows


def test_names_and_places_are_kept() -> None:
    rows = rows_of(body(id="v0", winner="model_a", tstamp=7), body(id="v1", model_a="z", winner="tie (bothbad)"))
    assert [rows.models[code] for code in rows.model_a] == ["x", "z"]
    assert [rows.models[code] for code in rows.model_b] == ["y", "y"]
    assert rows.winner.tolist() == [MODEL_A, BOTH_BAD]
    assert rows.tstamp.tolist() == [7.0, 1_600_000_000.5]
    assert (rows.partition.tolist(), rows.offset.tolist()) == ([3, 3], [40, 41])
    assert rows.recorded.tolist() == [ARRIVED_MS] * 2


def test_optional_columns_are_absent_when_nobody_has_them() -> None:
    rows = rows_of(
        body(id="v0", voter=None, language="", categories=[], style=None, p_pair=None, battle="", drawn_at=None)
    )
    assert [rows.language, rows.categories, rows.voter, rows.prompt, rows.p_pair, rows.style] == [None] * 6
    assert (rows.battle, rows.drawn_at) == (None, None)
    assert (rows.languages, rows.category_sets, rows.voters, rows.prompts) == ([""], [()], [""], [""])
    assert rows.battles == [""]


def test_a_row_without_an_optional_field_has_code_zero() -> None:
    rows = rows_of(
        body(id="v0"),
        body(id="v1", voter="u", language="en", categories=["code"], prompt_hash="h", p_pair=0.5, style=STYLE),
    )
    assert [rows.language.tolist(), rows.categories.tolist(), rows.voter.tolist(), rows.prompt.tolist()] == [[0, 1]] * 4
    np.testing.assert_array_equal(rows.p_pair, [np.nan, 0.5])
    assert rows.style.tolist() == [[-1] * 8, list(range(8))]


def test_votes_on_one_draw_share_its_code() -> None:
    rows = rows_of(
        body(id="v0", battle="b7", drawn_at=1_600_000_000),
        body(id="v1"),
        body(id="v2", battle="b8", drawn_at=0),
        body(id="v3", battle="b7", drawn_at=1_600_000_005.5),
    )
    assert (rows.battles, rows.battle.tolist()) == (["", "b7", "b8"], [1, 0, 2, 1])
    np.testing.assert_array_equal(rows.drawn_at, [1_600_000_000, np.nan, 0, 1_600_000_005.5])


def test_category_sets_are_sets() -> None:
    rows = rows_of(
        body(id="v0", categories=["code", "math", "code"]),
        body(id="v1", categories=["math", "", "code"]),
        body(id="v2", categories=[""]),
    )
    assert rows.category_sets[0] == ()
    assert [rows.category_sets[code] for code in rows.categories] == [("code", "math"), ("code", "math"), ()]


def test_a_fetch_without_a_usable_vote_has_no_rows() -> None:
    decoded = decode(as_records([(b"v1", b"{}"), (None, None)]))
    assert len(decoded.rows) == 0
    assert len(decoded.rejects) == 2
    assert len(decode(as_records([])).rows) == 0
