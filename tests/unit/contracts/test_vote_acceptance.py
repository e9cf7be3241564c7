"""What lies just inside the rules is a vote."""

import pytest

from streams.contracts.vote import BOTH_BAD, MAX_RECORD_BYTES, STYLE_FIELDS, WINNER_NAMES, WINNERS, parse_vote
from streams.intake.decode import decode
from tests.unit.intake.making import ARRIVED_MS, as_records, body, columns

ARRIVED = ARRIVED_MS / 1000
LIMITS = {
    "an id of 64": {"id": "i" * 64},
    "an id of 64 wide letters": {"id": "𝕏" * 64},
    "a model of 128": {"model_a": "m" * 128},
    "a model with a slash": {"model_a": "org/model"},
    "models that differ in case": {"model_a": "X", "model_b": "x"},
    "an arena of one digit": {"arena": "0"},
    "an arena of 32": {"arena": "a" + "-_" * 15 + "z"},
    "a tstamp of 0": {"tstamp": 0},
    "a tstamp of five minutes ahead": {"tstamp": ARRIVED + 300},
    "a p_pair of 1": {"p_pair": 1},
    "a tiny p_pair": {"p_pair": 5e-324},
    "eight categories": {"categories": ["c"] * 8},
    "labels of 64": {"language": "l" * 64, "categories": ["c" * 64], "voter": "v" * 64, "prompt_hash": "h" * 64},
    "a battle of 64": {"battle": "b" * 64},
    "a draw at the beginning of time": {"drawn_at": 0},
    "a draw an hour before the vote": {"drawn_at": 1_599_996_400.25},
    "a draw that is late by the clocks' difference": {"drawn_at": 1_600_000_005.5},
    "empty labels": {"language": "", "categories": [""], "voter": "", "prompt_hash": "", "battle": ""},
    "an escaped NUL": {"voter": "\0"},
    "a style of 31 bits": {"style": dict.fromkeys(STYLE_FIELDS, 2**31 - 1)},
    "a style with more keys": {"style": dict.fromkeys([*STYLE_FIELDS, "tables_a"], 0)},
}


@pytest.mark.parametrize("name", LIMITS)
def test_it_is_accepted(name: str) -> None:
    vote = parse_vote(body(**LIMITS[name]), ARRIVED)
    assert vote.winner == "tie"


def test_null_means_absent() -> None:
    names = (
        "voter",
        "language",
        "categories",
        "prompt_hash",
        "battle",
        "p_pair",
        "drawn_at",
        "style",
        "anony",
        "count",
        "weight",
        "is_valid",
    )
    names += ("dedup_tag",)
    assert parse_vote(body(**dict.fromkeys(names)), ARRIVED) == parse_vote(body(), ARRIVED)


def test_a_vote_may_say_that_it_is_one_whole_vote() -> None:
    whole = {
        "anony": True,
        "count": 1,
        "weight": 1.0,
        "is_valid": True,
        "dedup_tag": {"high_freq": False, "sampled": True},
    }
    pairs = [(b"v1", body(**whole)), (b"v2", body(id="v2"))]
    assert parse_vote(pairs[0][1], ARRIVED).anony is True
    assert columns(decode(as_records(pairs)).rows) == columns(decode(as_records([(b"v1", body()), pairs[1]])).rows)


def test_names_are_counted_in_their_normal_form() -> None:
    odd = {
        "model_a": "\ufeffgpt\u200b-4 ",
        "model_b": "cafe\u0301\u00a0  x",
        "language": "en\n",
        "categories": ["a\tb", " "],
    }
    normal = {"model_a": "gpt-4", "model_b": "caf\u00e9 x", "language": "en", "categories": ["a b", ""]}
    renamed = {}
    assert parse_vote(body(**odd), ARRIVED, renamed=renamed) == parse_vote(body(**normal), ARRIVED)
    given = [odd["model_a"], odd["model_b"], odd["language"], *odd["categories"]]
    assert renamed == dict(zip(given, ["gpt-4", "caf\u00e9 x", "en", "a b", ""], strict=True))
    plain = {}
    parse_vote(body(**normal), ARRIVED, renamed=plain)
    assert plain == {}


def test_what_is_no_name_stays_as_it_is() -> None:
    vote = parse_vote(body(id=" v ", voter=" w ", prompt_hash="e\u0301", battle=" b "), ARRIVED)
    assert (vote.id, vote.voter, vote.prompt_hash, vote.battle) == (" v ", " w ", "e\u0301", " b ")


def test_unknown_fields_are_ignored() -> None:
    assert parse_vote(body(rating=1, nested={"id": "other"}, model_c=None), ARRIVED) == parse_vote(body(), ARRIVED)


def test_of_a_field_given_twice_the_last_counts() -> None:
    assert parse_vote(body()[:-1] + b',"winner":"model_b"}', ARRIVED).winner == "model_b"


def test_the_arena_is_text_unless_said() -> None:
    assert parse_vote(body(), ARRIVED).arena == "text"


def test_a_vote_may_be_as_large_as_the_limit() -> None:
    padding = MAX_RECORD_BYTES - len(body(x=""))
    assert parse_vote(body(x="p" * padding), ARRIVED).id == "v1"


def test_every_word_of_winner_has_its_code() -> None:
    assert [WINNERS[name] for name in WINNER_NAMES] == [0, 1, 2, 3, 4]
    assert WINNERS["tie (bothbad)"] == BOTH_BAD
    assert len(WINNERS) == 6
