"""Random numbers: an independent stream for each quantity, so that adding a stream does not change the others."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class SeedStream(IntEnum):
    """What each stream of random numbers is for. Changing a number changes the output of every seed: append only."""

    CAST = 0
    SCRIPT = 1
    PAIRS = 2
    WINNERS = 3
    CLOCK = 4
    LANGUAGES = 5
    CATEGORIES = 6
    VOTERS = 7
    PROMPTS = 8
    FLOODS = 9
    FAULTS = 10
    REWEIGH = 11
    DRAWS = 12
    SESSIONS = 13
    ATTACKS = 14


def random_of(seed: int, stream: SeedStream, part: int = 0) -> np.random.Generator:
    """Return the generator of one stream; PCG64 is named because numpy may change its default.

    >>> random_of(1, SeedStream.PAIRS).integers(100, size=3).tolist()
    [9, 85, 37]
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(stream), part))))
