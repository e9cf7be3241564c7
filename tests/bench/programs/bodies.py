"""Bodies of votes for the gateway, made before the measurement; each id contains the number of its request."""

from __future__ import annotations

import time

import numpy as np

from tests.bench.arenas import MODELS
from tests.bench.votes import CATEGORIES, LANGUAGES

NAMES = tuple(f"provider-{number % 30}/model-{number:03d}-instruct" for number in range(MODELS))
WINNERS = ("model_a", "model_b", "tie", "both_bad")
WIDTH = 7
"""Digits of a request's number in an id, after one letter."""


def arrays(count: int, votes: int, rich: bool = False) -> list[bytes]:
    """`count` bodies of `votes` votes each among 243 models; a single vote is an object, not an array."""
    random = np.random.default_rng(7)
    total = count * votes
    first = random.integers(0, MODELS, total)
    second = (first + random.integers(1, MODELS, total)) % MODELS
    winner = random.integers(0, len(WINNERS), total)
    now = time.time()
    items = [
        f'{{"id":"{_id(at // votes, at % votes)}","model_a":"{NAMES[a]}","model_b":"{NAMES[b]}",'
        f'"winner":"{WINNERS[won]}","tstamp":{now:.3f}{_labels(at) if rich else ""}}}'
        for at, (a, b, won) in enumerate(zip(first.tolist(), second.tolist(), winner.tolist(), strict=True))
    ]
    if votes == 1:
        return [item.encode() for item in items]
    return [f"[{','.join(items[at : at + votes])}]".encode() for at in range(0, total, votes)]


def request_of(key: bytes) -> int:
    """Number of the request that a vote was sent in, parsed from its id."""
    return int(key[1 : 1 + WIDTH])


def _id(request: int, at: int) -> str:
    return f"r{request:0{WIDTH}d}-{at:03d}-{request * 2654435761 % 2**32:08x}"


def _labels(at: int) -> str:
    language, one, two = LANGUAGES[at % 8], CATEGORIES[at % 7], CATEGORIES[at % 7 + 1]
    return f',"language":"{language}","categories":["{one}","{two}"]'
