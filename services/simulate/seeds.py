"""Random numbers: one independent stream for each thing that is drawn, so that one more of these changes no other."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class SeedStream(IntEnum):
    """What a stream of random numbers is for. Numbers are part of what a seed means: append only."""

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


def random_of(seed: int, stream: SeedStream, part: int = 0) -> np.random.Generator:
    """The generator of one stream; PCG64 by name, for numpy may change its default.

    >>> random_of(1, SeedStream.PAIRS).integers(100, size=3).tolist()
    [9, 85, 37]
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(stream), part))))
