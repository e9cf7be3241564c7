"""Generated ids for votes without an id; `plan` describes when ids are generated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b


def made_up_prefix(name: str, head: Iterable[bytes]) -> str:
    """Prefix of generated ids: at most 49 characters, with a hash of the first rows."""
    digest = blake2b(digest_size=4)
    for row in head:
        digest.update(row + b"\n")
    return f"{name[:40]}-{digest.hexdigest()}"


def numbered_repeats(ids: Sequence[object], of: Sequence[int]) -> list[object]:
    """Ids for repeated rows: all but the first get a number as suffix; at most 64 characters."""
    seen: Counter[int] = Counter()
    made = []
    for each, row in zip(ids, of, strict=True):
        seen[row] += 1
        made.append(each if seen[row] == 1 or not isinstance(each, str) else f"{each[:54]}.{seen[row]}")
    return made
