"""Ids of votes that have none of their own; when they are made up is in `plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any


def made_up_prefix(name: str, head: Iterable[bytes]) -> str:
    """What made-up ids begin with: at most 49 characters, a hash of the first rows among them."""
    digest = blake2b(digest_size=4)
    for row in head:
        digest.update(row + b"\n")
    return f"{name[:40]}-{digest.hexdigest()}"


def numbered_repeats(ids: Sequence[Any], of: Sequence[int]) -> list[Any]:
    """Ids of rows that come several times, all but the first with a number; 64 characters at most."""
    seen: Counter[int] = Counter()
    made = []
    for each, row in zip(ids, of, strict=True):
        seen[row] += 1
        made.append(each if seen[row] == 1 or not isinstance(each, str) else f"{each[:54]}.{seen[row]}")
    return made
