"""Names of models and providers: when two spellings are one name, and how alike two names are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
