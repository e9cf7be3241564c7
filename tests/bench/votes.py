"""The votes to send: the real data set in its plain shape, and the same votes in a rich one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import cache

from services.cli.send import VoteSender
from services.sources import VoteSource, open_source
from streams.contracts.settings import Settings

NAME = "chatbot-arena-2024-08"
LANGUAGES = ("English", "Chinese", "Russian", "German", "French", "Spanish", "Japanese", "Korean")
CATEGORIES = ("coding", "creative", "hard", "if", "longer", "math", "multiturn", "refusal")
VOTERS = 20_011

Pairs = tuple[list[bytes], list[bytes]]


@cache
def _source() -> VoteSource:
    return open_source(NAME, now=time.time())


def plain(count: int) -> Iterator[Pairs]:
    """Keys and values of the first `count` votes of the data set, some tens of thousands at a time."""
    for records in _source().records():
        part = slice(0, count)
        yield records.keys[part], records.values[part]
        count -= len(records.keys[part])
        if count <= 0:
            return


def rich(count: int) -> Iterator[Pairs]:
    """The same votes, each with a language, two categories and a voter."""
    number = 0
    for keys, values in plain(count):
        yield keys, [value[:-1] + _more(number + at) for at, value in enumerate(values)]
        number += len(keys)


def _more(number: int) -> bytes:
    language = LANGUAGES[number * 7 % 11 % 8]
    first = number * 5 % 8
    categories = f'"{CATEGORIES[first]}","{CATEGORIES[(first + 1 + number // 8 % 7) % 8]}"'
    voter = f"{number * 7919 % VOTERS * 2654435761:032x}"
    return f',"language":"{language}","categories":[{categories}],"voter":"{voter}"}}'.encode()


SHAPES = {"plain": plain, "rich": rich}


def feed(settings: Settings, shape: str, count: int) -> None:
    """Write votes to the topic and wait for every acknowledgement."""
    asyncio.run(_feed(settings, shape, count))


async def _feed(settings: Settings, shape: str, count: int) -> None:
    async with VoteSender(settings.kafka) as sender:
        for keys, values in SHAPES[shape](count):
            for start in range(0, len(keys), 2_000):
                await sender.send(keys[start : start + 2_000], values[start : start + 2_000])
                await asyncio.sleep(0)
