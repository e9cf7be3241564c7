"""Whether names are models at all: preference sets hold answers under the same columns, and each answer is its own.

A file with `chosen` and `rejected` may hold the names of models or the texts of their answers. Rated, texts are
thousands of models with a vote each. What tells is the whole file: models come again and again and are short, answers
are long or come once.
"""

from __future__ import annotations

from collections import Counter

from services.sources.base import SourceError
from services.sources.outcomes import Said

LONG, MANY_WORDS = 64, 8
"""Letters and words from which a name reads like a text; the longest names of public arenas have 56 and 7."""

FEW, MANY = 10, 100
"""Names up to which even different ones are a small arena, and from which names that come once are none of models."""


def must_be_models(said: Counter[Said]) -> None:
    """Complain of texts where models should be. Raises `SourceError`.

    Of the names more than half are long texts, and they are all different or come fewer than four times on average; or
    there are a hundred and more, and nine in ten places hold one that stands nowhere else.
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
        f"the columns of the two models hold answers or ids and no models: {different:,} different ones in"
        f" {places:,} places, such as {example[:60]!r}. Name the columns that hold models:"
        " --columns model_a=NAME,model_b=NAME,winner=NAME"
    )
