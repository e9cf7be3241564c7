"""Licence classes of the model contract, derived from the free text of published boards."""

from __future__ import annotations

import re

PROPRIETARY, OPEN_WEIGHT, OPEN_SOURCE, UNKNOWN = "proprietary", "open_weight", "open_source", "unknown"
CLASSES = (PROPRIETARY, OPEN_WEIGHT, OPEN_SOURCE, UNKNOWN)

_OPEN_SOURCE = re.compile(r"\b(apache|mit|bsd|gpl|lgpl|agpl|mpl|isc|unlicense|cc0|zlib|artistic|epl)\b")
_PROPRIETARY = re.compile(r"propr?i?e?tary|\bclosed\b|\bcommercial api\b")


def licence_class(text: str | None) -> str:
    """Classify a licence as a board writes it.

    Approved open-source licences are `open_source`; any other text that is not proprietary is `open_weight`; "Other",
    "-" and empty text are `unknown`.

    >>> [licence_class(text) for text in ("Proprietary", "Propretary", "Apache-2.0", "Llama 3.1 Community", "-")]
    ['proprietary', 'proprietary', 'open_source', 'open_weight', 'unknown']
    >>> licence_class("open_weight"), licence_class("CC-BY-NC-4.0"), licence_class("Non-commercial")
    ('open_weight', 'open_weight', 'open_weight')
    """
    plain = (text or "").strip().casefold().replace("_", " ")
    if plain in ("", "-", "?", "other", "unknown", "n/a", "na", "nan", "none", "null"):
        return UNKNOWN
    if _PROPRIETARY.search(plain):
        return PROPRIETARY
    if _OPEN_SOURCE.search(plain) or plain == "open source":
        return OPEN_SOURCE
    return OPEN_WEIGHT
