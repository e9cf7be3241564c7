"""Names of models and providers: when two spellings are one name, how alike two names are, and which were respelled.

Sources write `gpt-4o-2024-05-13`, `GPT-4o (2024-05-13)` and `openai/gpt-4o-2024-05-13` for one model. Where a source
respells many names at once, names are paired by the names alone, because totals may be restated with them. Names that
are equal without case, punctuation, order and provider are paired first. Next come pairs in which one name has extra
words: a date, a label that does not make another model, words added to most of the names, or words before the name.
Last come names with numbers that no other name has, if the rest is alike. Other extra words, as in `m-thinking`, mean
another model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+|\+")
_DATE = re.compile(r"\b20\d\d ?[01]\d ?[0-3]\d\b")
LABELS = frozenset(["latest", "it", "instruct", "chat", "hf", "api", "model", "official", "default", "app"])
"""Words added to a model's name that do not make it another model, as `mini`, `thinking` or `preview` would."""

_GENERIC = {"ai", "labs", "lab", "inc", "ltd", "team", "research"}


def plain(name: str) -> str:
    """Normalise a name: lower case, without punctuation, single spaces.

    >>> plain("Gemma-2-27B-it") == plain("gemma 2 27b it"), plain("Command R+") == plain("Command R")
    (True, False)
    """
    return " ".join(words(name))


def words(name: str) -> list[str]:
    """Split a name into words and numbers, in order.

    >>> words("Claude 3.5 Sonnet (20241022)")
    ['claude', '3.5', 'sonnet', '20241022']
    """
    return _WORDS.findall(name.casefold())


def alike(one: str, other: str) -> float:
    """Likeness of two names, 0 to 1: by common words or by common runs of letters, whichever is larger.

    >>> alike("Claude 3.5 Sonnet", "Claude 3.5 Sonnet (20240620)") > 0.7, alike("PaLM 2", "Zephyr") < 0.3
    (True, True)
    """
    if not plain(one) or not plain(other):
        return float(one == other)
    first, second = {*words(one)}, {*words(other)}
    common = len(first & second) / len(first | second)
    a, b = sorted((plain(one), plain(other)))
    return max(common, SequenceMatcher(None, a, b, autojunk=False).ratio())


def extends(one: str, other: str) -> bool:
    """Whether one name is the other with added words that are not numbers: a label, not another version.

    >>> extends("m-7", "m-7-chat"), extends("m-7", "m-7 (2024-09)"), extends("m-7", "m-8")
    (True, False, False)
    """
    short, long = sorted((words(one), words(other)), key=len)
    added = list(long)
    for word in short:
        if word not in added:
            return False
        added.remove(word)
    return not any(character.isdigit() for word in added for character in word)


def relabelled(one: str, other: str) -> bool:
    """Whether one name is the other with added `LABELS`, which do not make it another model.

    >>> relabelled("m-7", "m-7-latest"), relabelled("m-7", "m-7-thinking"), relabelled("m-7", "m-7-preview")
    (True, False, False)
    """
    short, long = sorted((words(one), words(other)), key=len)
    return extends(one, other) and {*long} - {*short} <= LABELS


def redated(one: str, other: str) -> bool:
    """Whether two names differ in a date only: the next build under the same label.

    >>> redated("chat-latest (2024-08-08)", "chat-latest (2024-09-03)"), redated("m-20240620", "m-20241022")
    (True, True)
    >>> redated("m-7", "m-8"), redated("m (2024-08-08)", "n (2024-09-03)"), redated("m", "m (2024-08-08)")
    (False, False, True)
    """
    bare = [_DATE.sub(" ", plain(name)).split() for name in (one, other)]
    return bool(bare[0]) and bare[0] == bare[1] and plain(one) != plain(other)


def provider_name(name: str) -> str:
    """Normalise a provider's name: single spaces, and only once if it is written twice.

    >>> provider_name("Anthropic  Anthropic"), provider_name(" Allen  AI "), provider_name("Ai2/Ai2")
    ('Anthropic', 'Allen AI', 'Ai2')
    """
    parts = [part for part in re.split(r"[\s/|,·]+", name) if part]
    half = len(parts) // 2
    if half and len(parts) == 2 * half and words(" ".join(parts[:half])) == words(" ".join(parts[half:])):
        return " ".join(parts[:half])
    return " ".join(name.split())


def unify(names: Iterable[str | None], aliases: Mapping[str, str] | None = None) -> dict[str | None, str]:
    """Choose one spelling for each provider, ignoring case, words such as "AI" or "Labs", and known aliases.

    Parameters
    ----------
    names
        Names as files write them.
    aliases
        Aliases, each mapped to the name to report; case and punctuation do not matter.

    Returns, for each given name, the name of its alias, else the spelling that sorts first among the shortest; None
    maps to `unknown`.

    >>> unify(["DeepSeek AI", "DeepSeek", "NexusFlow", "Nexusflow", "Reka AI", None])["DeepSeek AI"]
    'DeepSeek'
    >>> unify(["Allen AI", "AI2  AI2", "Zhipu"], {"Allen AI": "Ai2", "Ai2": "Ai2"})
    {None: 'unknown', 'AI2  AI2': 'Ai2', 'Allen AI': 'Ai2', 'Zhipu': 'Zhipu'}
    """
    known = {plain(other): name for other, name in (aliases or {}).items()}
    groups: dict[str, list[str]] = {}
    unified: dict[str | None, str] = {None: "unknown"}
    for name in sorted({each for each in names if each}):
        told = known.get(plain(provider_name(name)))
        if told is not None:
            unified[name] = told
            continue
        kept = [word for word in words(provider_name(name)) if word not in _GENERIC] or words(name) or [name]
        groups.setdefault(" ".join(kept), []).append(name)
    for group in groups.values():
        chosen = min((provider_name(name) for name in group), key=lambda name: (len(name), name))
        unified.update(dict.fromkeys(group, chosen))
    return unified


Names = Sequence[tuple[str, str]]
"""Name and provider of each model."""

_WRITTEN_DATE = re.compile(r"20\d\d ?[01]\d ?[0-3]\d|[01]\d ?20\d\d")

USUAL, LEAST = 0.5, 3
"""A word added to this part of the extended names, and to at least this many, is how the source now writes names."""

DATE = "(date)"
"""Stands for a date among the added words."""

LIKE = 0.6
"""Least likeness of two names to be paired by numbers that no other name has."""


@dataclass(frozen=True, slots=True)
class _Spelling:
    """A name in parts: its words in order, without date and provider, and its date."""

    parts: tuple[str, ...]
    date: str

    @property
    def key(self) -> tuple[str, ...]:
        return (*sorted(self.parts), self.date)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(sorted(part for part in self.parts if part[0].isdigit()))


def equal_pairs(left: Names, came: Names) -> dict[int, int]:
    """Map positions in `left` to positions in `came` of names that are equal but for spelling, and unique.

    >>> equal_pairs([("Claude 3.5 Sonnet", "Anthropic"), ("m-7", "x")], [("anthropic/claude-3-5-sonnet", "Anthropic")])
    {0: 0}
    """
    old, new = [_spelling(*each) for each in left], [_spelling(*each) for each in came]
    return _alone(old, new, lambda spelling: spelling.key)


def clear_pairs(left: Names, came: Names) -> dict[int, int]:
    """Return `equal_pairs`, and further pairs that are clear from the names, where many change at once.

    >>> old = [("nova 7b", "a"), ("vega 8b", "b"), ("vega 8b mini", "b"), ("lyra 9b", "c")]
    >>> clear_pairs(old, [("nova-7b-hosted", "a"), ("vega-8b-mini-hosted", "b"), ("vega-8b-thinking-hosted", "b")])
    {0: 0, 2: 1}
    """
    old, new = [_spelling(*each) for each in left], [_spelling(*each) for each in came]
    pairs = _alone(old, new, lambda spelling: spelling.key)
    more = _extended(old, new, pairs)
    counts = Counter(word for word, _ in {(word, one) for added, one, _ in more for word in added})
    named = min(len({one for _, one, _ in more}), len({other for _, _, other in more}))
    usual = {word for word, count in counts.items() if count >= max(LEAST, USUAL * named)} | LABELS | {DATE}
    _take(
        pairs, more, lambda added, one, other: {*added} <= usual or _before(old[one], new[other], left[one][1]), usual
    )
    rest = [each for each in range(len(old)) if each not in pairs]
    open_ = [each for each in range(len(new)) if each not in pairs.values()]
    by_number = _alone(
        [old[each] for each in rest], [new[each] for each in open_], lambda each: each.numbers if each.numbers else None
    )
    for one, other in by_number.items():
        (name, maker), (new_name, new_maker) = left[rest[one]], came[open_[other]]
        same = maker == new_maker or "unknown" in (maker, new_maker)
        if same and alike(name, new_name) >= LIKE and _added(old[rest[one]], new[open_[other]]) is None:
            pairs[rest[one]] = open_[other]
    return dict(sorted(pairs.items()))


def late_pairs(left: Names, came: Names, usual: frozenset[str]) -> dict[int, int]:
    """Pair names that a source respelled while they were not shown: equal, or extended with its usual words.

    >>> old, new = [("vega 8b", "b"), ("lyra 9b", "c")], [("vega-8b-mini", "b"), ("Lyra 9B hosted", "c")]
    >>> late_pairs(old, new, frozenset({"hosted"}))
    {1: 1}
    """
    old, new = [_spelling(*each) for each in left], [_spelling(*each) for each in came]
    pairs = _alone(old, new, lambda spelling: spelling.key)
    _take(pairs, _extended(old, new, pairs), lambda added, _, __: {*added} <= usual, usual)
    return pairs


def usually_added(renames: Sequence[tuple[tuple[str, str], tuple[str, str]]]) -> frozenset[str]:
    """Return the words that a source adds when it respells names, from pairs of old and new (name, provider).

    >>> sorted(usually_added([((f"m-{at}", "x"), (f"m-{at}-hosted (2025-01-0{at})", "x")) for at in range(1, 6)]))
    ['(date)', 'hosted']
    """
    added = [_added(_spelling(*old), _spelling(*new)) or [] for old, new in renames]
    counts = Counter(word for each in added for word in {*each})
    return frozenset(word for word, count in counts.items() if count >= max(LEAST, USUAL * sum(map(bool, added))))


_More = list[tuple[list[str], int, int]]


def _extended(old: Sequence[_Spelling], new: Sequence[_Spelling], pairs: dict[int, int]) -> _More:
    """The added words of each two unpaired names of which one extends the other, with their positions."""
    taken = {*pairs.values()}
    return [
        (added, one, other)
        for one in range(len(old))
        for other in range(len(new))
        if one not in pairs and other not in taken and (added := _added(old[one], new[other])) is not None
    ]


def _take(
    pairs: dict[int, int], more: _More, good: Callable[[list[str], int, int], bool], usual: Collection[str]
) -> None:
    """Add the pairs that `good` accepts, those with the fewest unusual added words first."""
    for added, one, other in sorted(more, key=lambda each: (len({*each[0]} - {*usual}), len(each[0]), each[1:])):
        if one not in pairs and other not in pairs.values() and good(added, one, other):
            pairs[one] = other


def _alone(old: list[_Spelling], new: list[_Spelling], key: Callable[[_Spelling], object]) -> dict[int, int]:
    """Pair spellings by a key that exactly one old and one new name have; ignore the key None."""
    keys = [[key(each) for each in side] for side in (old, new)]
    counts = [Counter(side) for side in keys]
    place = {each: at for at, each in enumerate(keys[1])}
    return {
        at: place[each]
        for at, each in enumerate(keys[0])
        if each is not None and counts[0][each] == counts[1][each] == 1
    }


def _spelling(name: str, provider: str) -> _Spelling:
    rest = name.rpartition("/")[2] or name
    parts = plain(rest).replace(".", " ").split()
    maker = {*plain(provider).split()}
    kept = [part for part in parts if part not in maker] or parts
    written = " ".join(kept)
    date = _WRITTEN_DATE.search(written)
    if date is None or not (bare := (written[: date.start()] + written[date.end() :]).split()):
        return _Spelling(tuple(kept), "")
    return _Spelling(tuple(bare), date[0].replace(" ", ""))


def _added(one: _Spelling, other: _Spelling) -> list[str] | None:
    """Words that one of the two has in addition; None if both have some, if some are numbers, or if dates differ."""
    if one.date and other.date and one.date != other.date:
        return None
    short, long = sorted((one.parts, other.parts), key=len)
    added = list((Counter(long) - Counter(short)).elements())
    if Counter(short) - Counter(long) or any(word[0].isdigit() for word in added):
        return None
    return added if one.date == other.date else [*added, DATE]


def _before(one: _Spelling, other: _Spelling, provider: str) -> bool:
    """Whether at most two words were added before the name and the provider is unknown: perhaps the provider's name."""
    short, long = sorted((one.parts, other.parts), key=len)
    return provider == "unknown" and len(long) - len(short) <= 2 and long[-len(short) :] == short
