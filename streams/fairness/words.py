"""How many false pages an operator accepts, in words: "one a year at 100,000 battles a day"."""

from __future__ import annotations

import re
from functools import cache

_COUNTS = {"once": 1, "one": 1, "twice": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}
_DAYS = {
    "second": 1 / 86_400,
    "minute": 1 / 1_440,
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 365 / 12,
    "quarter": 365 / 4,
    "year": 365.0,
    "decade": 3_650.0,
}
_NUMBER = r"\d[\d,_]*(?:\.\d+)?"
_PAGES = r"(?: false)?(?: pages?)?"
_RATE = re.compile(
    rf"(?P<count>[a-z]+|{_NUMBER}){_PAGES} (?:a|an|per|every|each) (?P<span>[a-z]+?)"
    rf" at (?P<rate>{_NUMBER}) battles (?:a|an|per|every|each) (?P<unit>[a-z]+?)"
)
_SHARE = re.compile(rf"(?P<count>[a-z]+|{_NUMBER}){_PAGES} in (?P<battles>{_NUMBER}) battles")


@cache
@cache  # asked at every tick
def battles_between_pages(words: str) -> float:
    """How many battles there are, on average, between two false pages.

    Raises
    ------
    ValueError
        When the words do not say it; the message shows how.

    >>> battles_between_pages("one a year at 100,000 battles a day")
    36500000.0
    >>> battles_between_pages("two false pages per week at 30 battles per second")
    9072000.0
    >>> battles_between_pages("one in 36,500,000 battles")
    36500000.0
    """
    text = " ".join(words.lower().split())
    if said := _SHARE.fullmatch(text):
        battles = _number(said["battles"])
    elif (said := _RATE.fullmatch(text)) and said["span"] in _DAYS and said["unit"] in _DAYS:
        battles = _DAYS[said["span"]] * _number(said["rate"]) / _DAYS[said["unit"]]
    else:
        raise ValueError(f"{words!r}: say it like 'one a year at 100,000 battles a day' or 'one in 36,500,000 battles'")
    count = float(_COUNTS[said["count"]]) if said["count"] in _COUNTS else _number(said["count"])
    if not count > 0 or not battles > 0:
        raise ValueError(f"{words!r}: the numbers must be above zero")
    return battles / count


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is not a number that is understood here") from None
