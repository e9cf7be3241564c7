"""Names of models and providers: when two spellings are one, and how alike two names are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

_WORDS = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+|\+")
_DATE = re.compile(r"\b20\d\d ?[01]\d ?[0-3]\d\b")
LABELS = frozenset(["latest", "it", "instruct", "chat", "hf", "api", "model", "official", "default", "app"])
"""Words that are added to a model's name and tell it from no other model; `mini`, `thinking` or `preview` do."""

_GENERIC = {"ai", "labs", "lab", "inc", "ltd", "team", "research"}


def plain(name: str) -> str:
    """A name without case, punctuation and spaces.

    >>> plain("Gemma-2-27B-it") == plain("gemma 2 27b it"), plain("Command R+") == plain("Command R")
    (True, False)
    """
    return " ".join(words(name))


def words(name: str) -> list[str]:
    """Words and numbers of a name, in order.

    >>> words("Claude 3.5 Sonnet (20241022)")
    ['claude', '3.5', 'sonnet', '20241022']
    """
    return _WORDS.findall(name.casefold())


def alike(one: str, other: str) -> float:
    """How alike two names are, 0 to 1: common words or common runs of letters, whichever says more.

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
    """Whether one name is the other with words added that are no numbers: a label, not another version.

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
    """Whether one name is the other with labels added by which no model is told from another.

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
    """A provider's name with single blanks, and once where it is written twice.

    >>> provider_name("Anthropic  Anthropic"), provider_name(" Allen  AI "), provider_name("Ai2/Ai2")
    ('Anthropic', 'Allen AI', 'Ai2')
    """
    parts = [part for part in re.split(r"[\s/|,·]+", name) if part]
    half = len(parts) // 2
    if half and len(parts) == 2 * half and words(" ".join(parts[:half])) == words(" ".join(parts[half:])):
        return " ".join(parts[:half])
    return " ".join(name.split())


def unify(names: Iterable[str | None], aliases: Mapping[str, str] | None = None) -> dict[str | None, str]:
    """One spelling for each provider: case and words as "AI" or "Labs" make no other firm, nor do known other names.

    Parameters
    ----------
    names
        As files write them.
    aliases
        Other names to the one to tell; case and punctuation do not matter.

    Returns the alias's name, else the spelling that sorts first among the shortest, for each given name; absent is
    `unknown`.

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
