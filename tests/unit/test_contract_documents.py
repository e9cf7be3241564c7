"""docs/contracts says what the code does: it is current, its schemas are true, its references lead somewhere."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from streams.contracts.dead_letter import REDRIVEN, DeadLetter
from streams.contracts.keys import Keys
from streams.contracts.metrics import Metrics
from streams.contracts.model import Model, model_key, parse_model
from streams.contracts.names import normalised
from streams.contracts.reasons import Reason
from streams.contracts.settings import documented
from streams.contracts.topics import TOPICS
from streams.contracts.vote import DRAWN_SECONDS, FUTURE_SECONDS, STYLE_FIELDS, WINNERS, InvalidRecord, parse_vote
from streams.intake.decode import decode
from streams.intake.records import Records
from streams.ledger.codec import Block, Notice, encode_block, encode_notice
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.publish import make_board

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "docs" / "contracts"
ARRIVED = 1_000_000.0


def read_json(name: str) -> Any:
    return json.loads((CONTRACTS / name).read_text("utf-8"))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(read_json(f"{name}.schema.json"))


VOTE, MODEL, BOARD = validator("vote"), validator("model"), validator("board")


# --- current ---------------------------------------------------------------------------------------------------------


def test_every_document_is_what_the_generator_would_write() -> None:
    done = subprocess.run(
        [sys.executable, str(CONTRACTS / "generate.py"), "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_names_what_is_stale(tmp_path: Path) -> None:
    for file in CONTRACTS.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "reasons.md").write_text("# Reasons\n")
    check = [sys.executable, str(tmp_path / "generate.py")]

    stale = subprocess.run([*check, "--check"], capture_output=True, text=True)
    assert stale.returncode == 1
    assert "docs/contracts/reasons.md" in stale.stdout

    assert subprocess.run(check, capture_output=True).returncode == 0
    assert (tmp_path / "reasons.md").read_bytes() == (CONTRACTS / "reasons.md").read_bytes()
    assert subprocess.run([*check, "--check"], capture_output=True).returncode == 0


def test_the_generator_s_own_examples_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "doctest", str(CONTRACTS / "generate.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_left_out() -> None:
    reasons, variables, metrics, redis = (
        (CONTRACTS / f"{name}.md").read_text("utf-8") for name in ("reasons", "settings", "metrics", "redis")
    )
    assert all(f"| `{reason}` |" in reasons for reason in Reason)
    assert all(f"| `{variable}` |" in variables for rows in documented().values() for variable, _, _ in rows)
    exposed = {
        f"{series.name}_total" if series.type == "counter" else series.name
        for series in Metrics().registry.collect()
        if series.name.startswith("isonomy_")
    }
    assert exposed
    assert all(f"| `{name}` |" in metrics for name in exposed)
    assert f"`{Keys().board('<arena>', '<board>')}`" in redis


# --- schemas are true ------------------------------------------------------------------------------------------------


def good_vote(**changes: Any) -> dict[str, Any]:
    return {"id": "v1", "model_a": "x", "model_b": "y", "winner": "tie", "tstamp": 1.0, **changes}


def good_model(**changes: Any) -> dict[str, Any]:
    return {
        "arena": "text",
        "model": "x",
        "provider": "p",
        "license": "proprietary",
        "visibility": "public",
        "status": "active",
        "weight": 1,
        "tstamp": 1.0,
        **changes,
    }


def accepts_vote(vote: Any) -> bool:
    try:
        parse_vote(json.dumps(vote).encode(), ARRIVED)
    except InvalidRecord:
        return False
    return True


def accepts_model(model: Any) -> bool:
    key = model_key(str(model.get("arena")), normalised(str(model.get("model"))))
    try:
        parse_model(json.dumps(model).encode(), key, ARRIVED)
    except InvalidRecord:
        return False
    return True


def texts(longest: int) -> st.SearchStrategy[str]:
    """Text around a limit: what is too long by one, and what is empty, come up often."""
    return (
        st.text(max_size=8)
        | st.text(st.sampled_from("a \n\x1b\u200b\xad\u0301"), max_size=4)
        | st.sampled_from([longest - 1, longest, longest + 1]).flatmap(
            lambda n: st.sampled_from(["x", "é", "𝕏"]).map(lambda letter: letter * n)
        )
    )


# Integers written with a fraction are left out: `1.0` is an integer to a schema, and none to the decoder.
odd: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({})
)
numbers = st.integers(-2, 2**64) | st.floats(-1.0, 2e6, allow_nan=False)
counts = st.integers(-1, 3) | st.sampled_from([2**31 - 1, 2**31])
arenas = st.sampled_from(["text", "a", "Text", "", "-a", "a" * 32, "a" * 33, "a b", "ä"])

votes = st.fixed_dictionaries(
    {},
    optional={
        "id": texts(64) | odd,
        "model_a": texts(128) | odd,
        "model_b": texts(128) | odd,
        "winner": st.sampled_from([*WINNERS, "model_c", ""]) | odd,
        "tstamp": numbers | odd,
        "arena": arenas | odd,
        "voter": texts(64) | odd,
        "language": texts(64) | odd,
        "categories": st.lists(texts(64), max_size=9) | odd,
        "prompt_hash": texts(64) | odd,
        "battle": texts(64) | odd,
        "p_pair": st.floats(-0.5, 1.5) | odd,
        "drawn_at": numbers | odd,
        "style": st.fixed_dictionaries(dict.fromkeys(STYLE_FIELDS, counts)) | odd,
        **dict.fromkeys(("anony", "is_valid"), odd),
        **dict.fromkeys(("count", "weight"), st.sampled_from([1, 1.0, 0, 2, 0.5]) | odd),
        "dedup_tag": st.fixed_dictionaries({}, optional={"sampled": odd, "high_freq": odd}) | odd,
        "unknown": odd,
    },
)
models = st.fixed_dictionaries(
    {},
    optional={
        "arena": arenas | odd,
        "model": texts(128) | odd,
        "provider": texts(128) | odd,
        "license": st.sampled_from(["proprietary", "open_weight", "open_source", "free"]) | odd,
        "visibility": st.sampled_from(["public", "private", "hidden"]) | odd,
        "status": st.sampled_from(["active", "deprecated", "retired", "gone"]) | odd,
        "weight": numbers | odd,
        "tstamp": numbers | odd,
        "family": texts(128) | odd,
        "announced_at": numbers | odd,
        "reason": texts(1024) | odd,
        "unknown": odd,
    },
)


def differ(a: str, b: str) -> bool:
    """What a schema cannot say of two names."""
    return normalised(a) != normalised(b)


def in_time(record: dict[str, Any]) -> bool:
    """What a schema cannot say of the time."""
    return record["tstamp"] <= ARRIVED + FUTURE_SECONDS


def drawn_before(vote: dict[str, Any]) -> bool:
    """What a schema cannot say of the draw."""
    return (vote.get("drawn_at") or 0) <= vote["tstamp"] + DRAWN_SECONDS


@settings(deadline=None)
@given(votes, st.sets(st.sampled_from(["id", "model_a", "model_b", "winner", "tstamp"])))
def test_the_vote_schema_says_what_the_decoder_does(changes: dict[str, Any], dropped: set[str]) -> None:
    # One field in doubt at a time, most often: the rest is good, unless it is dropped.
    for field in changes:
        vote = good_vote(**{field: changes[field]})
        expected = VOTE.is_valid(vote) and in_time(vote) and drawn_before(vote)
        expected = expected and differ(vote["model_a"], vote["model_b"])
        assert accepts_vote(vote) == expected, vote
    vote = {name: value for name, value in good_vote(**changes).items() if name not in dropped}
    if accepts_vote(vote):
        VOTE.validate(vote)


@settings(deadline=None)
@given(models, st.sets(st.sampled_from(list(good_model()))))
def test_the_model_schema_says_what_the_decoder_does(changes: dict[str, Any], dropped: set[str]) -> None:
    for field in changes:
        model = good_model(**{field: changes[field]})
        assert accepts_model(model) == (MODEL.is_valid(model) and in_time(model)), model
    model = {name: value for name, value in good_model(**changes).items() if name not in dropped}
    if accepts_model(model):
        MODEL.validate(model)


STYLE = dict.fromkeys(STYLE_FIELDS, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"winner": "tie (bothbad)"},
        {"voter": None, "language": None, "categories": None, "prompt_hash": None, "p_pair": None, "style": None},
        {"battle": None, "drawn_at": None},
        {"battle": "b" * 64, "drawn_at": 0},
        {"categories": [], "voter": "", "battle": "", "p_pair": 1, "style": STYLE, "unknown": {"a": [1]}},
    ],
)
def test_votes_that_are_accepted_are_valid(changes: dict[str, Any]) -> None:
    assert accepts_vote(good_vote(**changes))
    VOTE.validate(good_vote(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": 7},
        {"model_a": "x" * 129},
        {"winner": "a"},
        {"winner": None},
        {"tstamp": "1"},
        {"tstamp": -1},
        {"arena": "Text"},
        {"arena": None},
        {"categories": ["x"] * 9},
        {"categories": "math"},
        {"p_pair": 0},
        {"p_pair": 1.1},
        {"battle": "b" * 65},
        {"battle": 7},
        {"drawn_at": -1},
        {"drawn_at": "1"},
        {"style": {**STYLE, "tokens_a": -1}},
        {"style": {"tokens_a": 1}},
    ],
)
def test_votes_that_are_refused_are_invalid(changes: dict[str, Any]) -> None:
    assert not accepts_vote(good_vote(**changes))
    assert not VOTE.is_valid(good_vote(**changes))


@pytest.mark.parametrize("field", ["id", "model_a", "model_b", "winner", "tstamp"])
def test_a_vote_without_a_required_field_is_invalid(field: str) -> None:
    vote = good_vote()
    del vote[field]
    assert not accepts_vote(vote)
    assert not VOTE.is_valid(vote)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(good_vote(model_b="x")),
        json.dumps(good_vote(model_b="x ")),
        json.dumps(good_vote(model_b="\u0958" * 65)),
        json.dumps(good_vote(tstamp=ARRIVED + FUTURE_SECONDS + 1)),
        json.dumps(good_vote(drawn_at=good_vote()["tstamp"] + DRAWN_SECONDS + 1)),
        json.dumps(good_vote(style={**STYLE, "tokens_a": 1.0})),
        json.dumps(good_vote(unknown=["x" * 70_000])),
        json.dumps(good_vote(unknown=json.loads("[" * 120 + "]" * 120))),
        json.dumps(good_vote(voter="\ud800")),
        json.dumps(good_vote()).replace("{", '{"id": 5, ', 1),
    ],
    ids=[
        "same model",
        "same model and a blank",
        "longer in its normal form",
        "future",
        "drawn after the vote",
        "fraction",
        "too large",
        "too deep",
        "lone surrogate",
        "name twice",
    ],
)
def test_what_the_schema_cannot_say_is_all_that_it_lets_pass(text: str) -> None:
    """Each of these is in the list in the schema's description."""
    VOTE.validate(json.loads(text))
    with pytest.raises(InvalidRecord):
        parse_vote(text.encode(), ARRIVED)


battles = st.lists(
    st.tuples(st.permutations(["ash", "birch", "cedar", "dogwood"]), st.sampled_from(sorted(WINNERS))),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)  # a busy machine is no fault of the board's
@given(battles, st.booleans())
def test_every_board_is_valid(played: list[tuple[list[str], str]], declared: bool) -> None:
    state = ArenaState("text")
    if declared:
        model = msgspec.convert(good_model(model="ash"), Model)
        fold(state, Notice("text", "ash", model, 0, 0, 0), ArenaLimits(), elo.interpreted)
    fold(state, block_of(played), ArenaLimits(), elo.interpreted)
    for name in state.boards:
        board, _ = make_board(state, name)
        BOARD.validate(json.loads(msgspec.json.encode(board)))


def block_of(played: list[tuple[list[str], str]]) -> Block:
    n = len(played)
    sent = [
        good_vote(id=f"v{at}", model_a=who[0], model_b=who[1], winner=winner, language="en")
        for at, (who, winner) in enumerate(played)
    ]
    decoded = decode(
        Records(
            [vote["id"].encode() for vote in sent],
            [json.dumps(vote).encode() for vote in sent],
            np.zeros(n, np.int32),
            np.arange(n),
            np.full(n, 1000 * 10**6),
        )
    )
    return Block("text", decoded.rows, {0: n - 1})


@pytest.mark.parametrize("schema", [VOTE, MODEL, BOARD], ids=["vote", "model", "board"])
def test_the_schemas_are_schemas(schema: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(schema.schema)
    assert schema.schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    for reference in references(schema.schema):
        assert resolve(schema.schema, reference)


# --- AsyncAPI --------------------------------------------------------------------------------------------------------

ASYNCAPI = read_json("asyncapi.json")


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/"), reference
    found = document
    for step in reference[2:].split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def test_every_reference_leads_somewhere() -> None:
    found = list(references(ASYNCAPI))
    assert found
    for reference in found:
        resolve(ASYNCAPI, reference)


def test_every_topic_is_a_channel_as_it_is_created() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert list(ASYNCAPI["channels"]) == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        channel = ASYNCAPI["channels"][topic.name]
        binding = channel["bindings"]["kafka"]
        address = channel["address"].format(prefix=channel["parameters"]["prefix"]["default"])
        assert address == binding["topic"] == f"isonomy.{topic.name}"
        assert binding["partitions"] == topic.partitions
        written = {
            key: ",".join(value) if isinstance(value, list) else str(value)
            for key, value in binding["topicConfiguration"].items()
        }
        assert written == topic.config
        assert channel["x-key"] == topic.key


def test_every_channel_with_messages_is_sent_to_and_received_from() -> None:
    used: dict[str, set[str]] = {}
    for operation in ASYNCAPI["operations"].values():
        used.setdefault(operation["channel"]["$ref"], set()).add(operation["action"])
        assert operation["messages"]
        assert all(each["$ref"].startswith(operation["channel"]["$ref"] + "/") for each in operation["messages"])
    for name, channel in ASYNCAPI["channels"].items():
        expected = {"send", "receive"} if channel["messages"] else None
        assert used.get(f"#/channels/{name}") == expected, name


def test_every_payload_is_a_schema() -> None:
    for message in ASYNCAPI["components"]["messages"].values():
        for schema in (message["payload"], message["bindings"]["kafka"]["key"], message.get("headers", {})):
            Draft7Validator.check_schema(schema)  # AsyncAPI's own dialect
    for schema in ASYNCAPI["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)


def test_ledger_records_fit_their_schemas() -> None:
    played = block_of([(["ash", "birch"], "tie")])
    drawn = dataclasses.replace(
        played, rows=dataclasses.replace(played.rows, battles=["", "b"], battle=np.ones(1, np.int32))
    )
    block, without = (msgspec.msgpack.decode(encode_block(each)[0]) for each in (drawn, played))
    model = msgspec.convert(good_model(), Model)
    notices = [encode_notice(Notice("text", "x", declared, 0, 0, 0)) for declared in (model, None)]
    for name, record in (
        ("LedgerBlock", block),
        *(("LedgerNotice", msgspec.msgpack.decode(notice)) for notice in notices),
    ):
        schema = {"$ref": f"#/components/schemas/{name}", "components": ASYNCAPI["components"]}
        Draft7Validator(schema).validate(record)
        assert set(record) == set(ASYNCAPI["components"]["schemas"][name]["properties"])
    assert set(without) == set(ASYNCAPI["components"]["schemas"]["LedgerBlock"]["required"])


def test_the_dead_letter_s_headers_are_those_of_the_code() -> None:
    headers = ASYNCAPI["components"]["messages"]["deadLetter"]["headers"]
    assert headers["properties"]["reason"]["enum"] == [reason.value for reason in Reason]
    letter = DeadLetter(
        "isonomy.votes", 0, 7, Reason.SAME_MODEL, "both sides are 'x'", b"v1", b"{}", last_offset=9, cut=99
    )
    sent = {name: value.decode() for name, value in [*letter.headers(), (REDRIVEN, b"1700000000000")]}
    Draft7Validator(headers).validate(sent)
    assert list(sent) == list(headers["properties"])
    assert set(headers["required"]) == set(
        dict(dataclasses.replace(letter, key=None, last_offset=None, cut=None).headers())
    )
