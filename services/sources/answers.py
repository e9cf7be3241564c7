"""Whether names are models at all: preference data sets hold answers in columns of the same names.

A file with `chosen` and `rejected` may hold names of models or texts of answers. If texts were rated, they would be
thousands of models with one vote each. Only the whole file shows which it is: names of models are short and repeat,
answers are long or occur once.
"""

from __future__ import annotations

from collections import Counter

from services.sources.base import SourceError
from services.sources.outcomes import Said

LONG, MANY_WORDS = 64, 8
"""A name with more letters or at least as many words is a text; the longest names of public arenas have 56 and 7."""

FEW, MANY = 10, 100
"""Up to `FEW` names, rare ones may be a small arena; from `MANY` on, names that mostly occur once are no models."""


def must_be_models(said: Counter[Said]) -> None:
    """Raise `SourceError` if the names are texts and not models.

    They are texts when more than half of the names are long, and all occur once or, beyond `FEW`, under four times on
    average; or when there are at least 100 names, and nine in ten cells hold a name that occurs only once.
    """
    names: Counter[str] = Counter()
    for (a, _, b), rows in said.items():
        for name in filter(None, (a, b)):
            names[str(name)] += rows
    places, different = names.total(), len(names)
    texts = [name for name in names if len(name) > LONG or name.count(" ") >= MANY_WORDS - 1]
    seldom = different == places or (different > FEW and 4 * different > places)
    once = sum(times == 1 for times in names.values())
    if not (2 * len(texts) > different and seldom) and not (different >= MANY and 10 * once >= 9 * places):
        return
    example = texts[0] if texts else next(iter(names))
    raise SourceError(
        f"the columns of the two models contain answers or ids, not models: {different:,} different ones in"
        f" {places:,} places, such as {example[:60]!r}. Name the columns that hold models:"
        " --columns model_a=NAME,model_b=NAME,winner=NAME"
    )
