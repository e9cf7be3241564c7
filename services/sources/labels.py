"""Names of a column's classes, where a file or the card beside it says them (Hugging Face's `ClassLabel`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from services.sources.fields import Fitted

_name = re.compile(r"^\s*-\s*name:\s*[\"']?(.*?)[\"']?\s*$")
_class = re.compile(r"^\s*[\"']?(\d+)[\"']?\s*:\s*[\"']?(.*?)[\"']?\s*$")


def labels_beside(path: Path, fitted: Fitted) -> Sequence[str] | None:
    """From the `README.md` in the file's folder or the one above; None when it says nothing of the winner."""
    column = fitted.column("winner")
    for folder in (path.absolute().parent, path.absolute().parent.parent) if column else ():
        try:
            text = (folder / "README.md").read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        return labels_of_card(text, column or "")
    return None


def labels_of_card(text: str, column: str) -> Sequence[str] | None:
    r"""Names of a column's classes from the front matter of a data set's card.

    >>> names = "    dtype:\n      class_label:\n        names:\n          '0': a\n          '1': b\n"
    >>> card = "features:\n  - name: winner\n" + names
    >>> labels_of_card(card, "winner"), labels_of_card(card, "other")
    (['a', 'b'], None)
    """
    inside = False
    names: dict[int, str] = {}
    for line in text.splitlines():
        if (found := _name.match(line)) is not None:
            if names:
                break
            inside = found[1] == column
        elif inside and (found := _class.match(line)) is not None:
            names[int(found[1])] = found[2]
    return [names[at] for at in range(len(names))] if names and {*names} == {*range(len(names))} else None


def labels_of_parquet(metadata: dict[str, str], fitted: Fitted) -> Sequence[str] | None:
    """From what the `datasets` library writes into a Parquet file's metadata; None when it is not there."""
    try:
        said: Any = msgspec.json.decode(metadata.get("huggingface", "{}"))
        names = said["info"]["features"][fitted.column("winner")]["names"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
    return [str(name) for name in names] if isinstance(names, list) and names else None
