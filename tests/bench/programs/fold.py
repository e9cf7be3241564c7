"""Decodes and folds encoded ledger blocks in one process: votes per second of one core."""

from __future__ import annotations

import time

import numpy as np

from streams.ledger.codec import Block, decode, encode_block
from streams.ledger.rows import Rows
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from tests.bench.arenas import MODELS, flat
from tests.bench.programs.talk import answer, given, like_a_worker

ARENA = "text"
PARTITIONS = 4


def blocks(votes: int, rows: int, languages: int, categories: int) -> list[bytes]:
    """Blocks of votes, each with one of `languages` and two of `categories`."""
    random = np.random.default_rng(1)
    battles = flat(votes)
    names = [f"model-{number}" for number in range(MODELS)]
    language_names = ["", *(f"language-{number}" for number in range(languages))]
    pairs = [(f"category-{a}", f"category-{b}") for a in range(categories) for b in range(a + 1, categories)]
    language = random.integers(1, languages + 1, votes).astype(np.int32)
    categories_of = random.integers(1, len(pairs) + 1, votes).astype(np.int32)
    partition = (np.arange(votes) % PARTITIONS).astype(np.int32)
    offset = np.arange(votes, dtype=np.int64) // PARTITIONS
    records: list[bytes] = []
    for start in range(0, votes, rows):
        part = slice(start, start + rows)
        piece = battles.part(part)
        columns = Rows(
            models=names,
            model_a=piece.model_a.astype(np.int32),
            model_b=piece.model_b.astype(np.int32),
            winner=piece.winner,
            tstamp=1.7e9 + offset[part].astype(np.float64),
            partition=partition[part],
            offset=offset[part],
            recorded=1_700_000_000_000 + offset[part],
            languages=language_names,
            language=language[part],
            category_sets=[(), *pairs],
            categories=categories_of[part],
            voters=[""],
            voter=None,
            prompts=[""],
            prompt=None,
            battles=[""],
            battle=None,
            p_pair=None,
            drawn_at=None,
            style=None,
        )
        through = {number: int(offset[part][partition[part] == number][-1]) for number in range(PARTITIONS)}
        records += encode_block(Block(ARENA, columns, through))
    return records


def measure(records: list[bytes], votes: int) -> tuple[float, float, int]:
    """Seconds, processor seconds and number of boards of one fold of all records."""
    play, limits = elo.compiled(), ArenaLimits()
    state = ArenaState(ARENA)
    began, cpu = time.perf_counter(), time.process_time()
    counted = sum(fold(state, decode(record), limits, play).counted for record in records)
    took = time.perf_counter() - began, time.process_time() - cpu
    if counted != votes:
        raise RuntimeError(f"{counted} of {votes} rows were counted")
    return *took, len(state.boards)


if __name__ == "__main__":
    parameters = given()
    like_a_worker()
    total = parameters["votes"]
    encoded = blocks(total, parameters["rows"], parameters["languages"], parameters["categories"])
    measure(encoded, total)
    found = [measure(encoded, total) for _ in range(parameters["rounds"])]
    answer(
        seconds=[each[0] for each in found],
        cpu_seconds=[each[1] for each in found],
        boards=found[0][2],
        bytes=sum(map(len, encoded)),
    )
