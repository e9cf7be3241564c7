"""Examples for the documents, made by the code that they describe: a ledger block, a notice, a board."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import msgspec
import numpy as np

from streams.contracts.model import Model
from streams.contracts.view import OVERALL
from streams.contracts.vote import STYLE_FIELDS, WINNER_NAMES
from streams.intake.decode import decode as decode_votes
from streams.intake.records import Records
from streams.ledger.codec import Block, Notice, compact, decode, encode_block, encode_notice
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.publish import make_board

ARENA = "text"
BEGAN = 1_767_225_600
"""Time of the first example vote, epoch seconds."""

_MODEL = Model(
    arena=ARENA,
    model="ash-2",
    provider="Ash",
    license="open_weight",
    visibility="public",
    status="active",
    weight=1.0,
    tstamp=float(BEGAN - 60),
)
_STYLE = dict(zip(STYLE_FIELDS, (212, 180, 0, 2, 3, 0, 1, 4), strict=True))
_BLOCK_VOTES: tuple[tuple[int, int, dict[str, Any]], ...] = (
    # partition, offset, vote; the last one is refused, so `through` goes further than the rows
    (0, 40, {"model_a": "ash-2", "model_b": "birch", "winner": "model_a", "language": "en"}),
    (0, 41, {"model_a": "birch", "model_b": "cedar-1", "winner": "both_bad", "categories": ["math", "code"]}),
    (0, 42, {"model_a": "cedar-1", "model_b": "ash-2", "winner": "tie", "voter": "5e1f", "p_pair": 0.25}),
    (1, 17, {"model_a": "ash-2", "model_b": "birch", "winner": "none", "battle": "d81", "drawn_at": BEGAN - 9.5}),
    (1, 18, {"model_a": "birch", "model_b": "ash-2", "winner": "model_b", "prompt_hash": "c0de", "style": _STYLE}),
    (1, 19, {"model_a": "birch", "model_b": "birch", "winner": "model_b"}),
)
_BOARD_VOTES = (
    *[("ash-2", "birch", "model_a")] * 6,
    *[("birch", "ash-2", "model_a")] * 3,
    *[("birch", "cedar-1", "model_a")] * 5,
    *[("cedar-1", "birch", "tie")] * 2,
    *[("cedar-1", "ash-2", "model_a")] * 2,
    *[("ash-2", "cedar-1", "none")] * 2,
    *[("dogwood", "birch", "model_b")] * 2,
)


@cache
def block_record() -> bytes:
    """Encode the example block, as intake would."""
    partition, offset, _ = zip(*_BLOCK_VOTES, strict=True)
    return _encode([vote for *_, vote in _BLOCK_VOTES], partition, offset)


@cache
def notice_record() -> bytes:
    """Encode the example notice."""
    return encode_notice(Notice(ARENA, _MODEL.model, _MODEL, 0, 7, 1000 * (BEGAN - 59)))


def block_literal() -> str:
    """Show the block in base64, as the lines of a Python literal in parentheses."""
    text, width = base64.b64encode(block_record()).decode(), 100
    return "\n".join(f'    "{text[at : at + width]}"' for at in range(0, len(text), width))


def block_rows() -> str:
    """Show the block's rows as the worked decode must print them, read by the project's own decoder."""
    block = decode(block_record())
    assert isinstance(block, Block)  # noqa: S101 -- for the type checker: it was encoded as one
    lines = [json.dumps(_row(block, row)) for row in range(len(block.rows))]
    return "\n".join(["```text", *lines, f"through {block.through}", "```"])


def notice_json() -> str:
    """Show the notice's map as JSON."""
    return fenced(msgspec.msgpack.decode(notice_record()))


def board_json() -> str:
    """Show the board of a few votes, its numbers rounded so that they are the same on every machine."""
    return fenced(rounded(msgspec.to_builtins(_board())))


def changed_json() -> str:
    """Show the message that announces that board."""
    board = _board()
    return fenced({"arena": ARENA, "boards": [OVERALL], "ledger": board.position.ledger}, indent=None)


def _encode(votes: list[dict[str, Any]], partition: tuple[int, ...], offset: tuple[int, ...]) -> bytes:
    seconds = [BEGAN + number for number in range(len(votes))]
    whole = [
        {"id": f"v{number}", "arena": ARENA, "tstamp": at, **vote}
        for number, (at, vote) in enumerate(zip(seconds, votes, strict=True))
    ]
    decoded = decode_votes(
        Records(
            keys=[vote["id"].encode() for vote in whole],
            values=[json.dumps(vote).encode() for vote in whole],
            partition=np.array(partition, np.int32),
            offset=np.array(offset, np.int64),
            recorded=np.array([1000 * at + 250 for at in seconds], np.int64),
        )
    )
    (record,) = encode_block(Block(ARENA, compact(decoded.rows), dict(zip(partition, offset, strict=True))))
    return record


@cache
def _board() -> Any:
    state = ArenaState(ARENA)
    votes = [{"model_a": a, "model_b": b, "winner": winner} for a, b, winner in _BOARD_VOTES]
    block = _encode(votes, (0,) * len(votes), tuple(range(len(votes))))
    for record in (notice_record(), block):
        fold(state, decode(record), ArenaLimits(), elo.interpreted)
        state.position += 1
    return make_board(state, OVERALL)[0]


def _row(block: Block, row: int) -> dict[str, Any]:
    rows = block.rows
    shown: dict[str, Any] = {
        "partition": int(rows.partition[row]),
        "offset": int(rows.offset[row]),
        "recorded": int(rows.recorded[row]),
        "tstamp": float(rows.tstamp[row]),
        "model_a": rows.models[rows.model_a[row]],
        "model_b": rows.models[rows.model_b[row]],
        "winner": WINNER_NAMES[rows.winner[row]],
    }
    optional = (
        ("language", rows.language, rows.languages),
        ("categories", rows.categories, rows.category_sets),
        ("voter", rows.voter, rows.voters),
        ("prompt", rows.prompt, rows.prompts),
        ("battle", rows.battle, rows.battles),
    )
    for name, codes, words in optional:
        if codes is not None and codes[row]:
            shown[name] = words[codes[row]]
    if rows.p_pair is not None and not np.isnan(rows.p_pair[row]):
        shown["p_pair"] = float(rows.p_pair[row])
    if rows.drawn_at is not None and not np.isnan(rows.drawn_at[row]):
        shown["drawn_at"] = float(rows.drawn_at[row])
    if rows.style is not None and rows.style[row, 0] >= 0:
        shown["style"] = rows.style[row].tolist()
    return shown


def rounded(value: Any) -> Any:
    """Round every number to two places, so that it is the same on every machine."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 2) if isinstance(value, float) else value


def fenced(value: Any, indent: int | None = 2) -> str:
    """Show a value as a block of JSON."""
    return f"```json\n{json.dumps(value, indent=indent)}\n```"
