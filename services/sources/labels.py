"""Names of a column's classes, if the data set card beside a file declares them (Hugging Face's `ClassLabel`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from services.sources.fields import Fitted

_name = re.compile(r"^\s*-\s*name:\s*[\"']?(.*?)[\"']?\s*$")
_class = re.compile(r"^\s*[\"']?(\d+)[\"']?\s*:\s*[\"']?(.*?)[\"']?\s*$")


def labels_beside(folder: Path | None, fitted: Fitted) -> Sequence[str] | None:
    """Class names from `README.md` in the file's folder or the one above; None when it has none for the winner."""
    column = fitted.column("winner")
    for each in (folder, folder.parent) if column and folder else ():
        try:
            text = (each / "README.md").read_text("utf-8")
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
