"""Names that look the same to a person: they differ in case, in punctuation, or in letters of another script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_LETTERS = str.maketrans(
    "аβсԁеɡһіјκӏոорԛѕтυѵѡхуαεινρτχοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abcdeghijklnopqstuvwxyaeivptxoABEZHIKMNOPTYX",
)
"""Cyrillic, Greek, Armenian and phonetic letters to the Latin letters that they look like."""

_marks = re.compile(r"[\W_]+")


def skeleton(name: str) -> str:
    """A key that is the same for names that look alike.

    >>> skeleton("GPT-4o") == skeleton("gpt 4o") == skeleton("gрt_4о"), skeleton("gpt-4") == skeleton("gpt-4o")
    (True, False)
    """
    plain = unicodedata.normalize("NFKC", name).translate(_LETTERS).casefold().translate(_LETTERS)
    # Punctuation between digits separates numbers: 2.1 and 21 are two versions.
    parts = _marks.split(re.sub(r"(?<=\d)[\W_]+(?=\d)", "x0x", plain))
    return "".join(parts)


def alike(votes: Mapping[str, int]) -> list[str]:
    """A sentence for each group of names that look alike, the name with most votes first; `votes` is by name."""
    groups: dict[str, list[str]] = {}
    for name in votes:
        groups.setdefault(skeleton(name) or name, []).append(name)
    told = []
    for names in groups.values():
        if len(names) > 1:
            ordered = sorted(names, key=lambda name: (-votes[name], name))
            shown = ", ".join(f"{name!r} ({votes[name]:,} battles)" for name in ordered)
            told.append(f"names that look alike are counted as different models: {shown}")
    return told
