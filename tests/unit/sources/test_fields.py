"""Columns of public data sets find their fields."""

import pytest

from services.sources import SourceError
from services.sources.fields import resolve


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        pytest.param(
            ["question_id", "model_a", "model_b", "winner", "judge", "turn", "language", "tstamp"],
            {"id": "question_id", "voter": "judge", "language": "language", "tstamp": "tstamp"},
            id="lmsys/chatbot_arena_conversations",
        ),
        pytest.param(
            ["id", "model_a", "model_b", "winner", "evaluation_session_id", "timestamp", "is_code", "language"],
            {"id": "id", "tstamp": "timestamp", "language": "language"},
            id="lmarena-ai/arena-human-preference-140k",
        ),
        pytest.param(["", "model_a", "model_b", "winner"], {}, id="arena-33k"),
        pytest.param(["Model_A", " model_b", "WINNER"], {"model_a": "Model_A", "model_b": " model_b"}, id="case"),
    ],
)
def test_public_data_sets_need_no_help(found: list[str], taken: dict[str, str]) -> None:
    given = {"model_a": "model_a", "model_b": "model_b", **taken}
    resolved = resolve(found).columns
    assert resolved.pop("winner").strip().casefold() == "winner"
    assert resolved == given


def test_llmfao_takes_the_names_and_not_the_numbers() -> None:
    fitted = resolve(["id", "prompt", "model_x", "model_y", "worker", "winner", "left", "right"])
    assert fitted.layout.name == "llmfao"
    assert [fitted.column(name) for name in ("model_a", "model_b", "voter")] == ["left", "right", "worker"]
    assert not fitted.contract


def test_three_columns_of_zero_and_one_are_a_winner() -> None:
    fitted = resolve(["id", "model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie"])
    assert "winner" not in fitted.places
    assert [*fitted.flags.values()] == ["model_a", "model_b", "tie"]


def test_named_columns_come_before_aliases_and_leave_them_to_others() -> None:
    found = ["id", "left", "right", "pick", "winner", "judge", "user"]
    taken = resolve(found, {"winner": "pick", "model_a": "right", "model_b": "left", "voter": ""}).columns
    assert taken == {"id": "id", "model_a": "right", "model_b": "left", "winner": "pick"}


@pytest.mark.parametrize(
    ("found", "chosen", "message"),
    [
        (["a", "b"], {}, r"the two models .*model_a/model_b.* and for the winner .*found: 'a', 'b'"),
        (["model_a", "model_b"], {}, r"no column for the winner .*--layouts lists"),
        (["model_a", "model_b", "winner"], {"winer": "winner"}, r"'winer' is not a field"),
        (["model_a", "model_b", "winner"], {"winner": "said"}, r"no column 'said' for winner; found: 'model_a'"),
        (["model_a", "model_b", "winner"], {"model_b": "model_a"}, r"no column for the two models"),
        (["x", "winner"], {"model_a": "x", "model_b": "x"}, r"one column cannot be two fields"),
        (["", "model_b", "winner"], {"model_a": ""}, r"no column for the two models"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(found: list[str], chosen: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        resolve(found, chosen)
