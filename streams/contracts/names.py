"""Names that people read: their normal form, the characters that they may contain, and how to print foreign text.

Leading or trailing spaces, zero-width marks and the two encodings of `é` make names that look the same. So every entry
point normalises a name before anything is counted under it; names that only look alike stay two.

A name with a newline, an escape sequence or a mark that reverses the writing direction looks like another name, or
manipulates the terminal that prints it. So no entry point accepts such a name. Records from before that rule, and texts
that are not names, are printed with those characters escaped.

The set is Unicode's control and format characters (Cc, Cf) and its line and paragraph separators (Zl, Zp), without the
zero width joiner, which several languages need: it is printed, but names with and without it are the same. The set is
listed here and not taken from the interpreter, because what is refused must not depend on the Python version. (Unicode
defines how letters are composed, and never changes it for existing letters.)
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SPACES = "\x09-\x0d\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_NO_WIDTH = "\u200b-\u200d\u2060\ufeff"
_CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_FORMATS = (
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200e\u200f\u202a-\u202e\u2061-\u2064\u2066-\u206f"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f"
)
UNPRINTABLE = f"{_CONTROLS}{_FORMATS}\x09-\x0d\x1c-\x1f\x85\u2028\u2029\u200b\u200c\u2060\ufeff"
"""Characters that no name may contain, as the inside of a regular expression's class; Unicode 16."""

TEXT_PATTERN = f"^[^{UNPRINTABLE}]*$(?!\\n)"
"""Text without any of them, as a pattern for JSON Schema; in Python `$` alone also matches before a last newline."""
_ENDS = f"{_SPACES}{_NO_WIDTH}{_FORMATS}"
_INSIDE = f"[^{_ENDS}{_CONTROLS}](?:[^{_CONTROLS}{_FORMATS}]*[^{_ENDS}{_CONTROLS}])?"
NAME_PATTERN = f"^[{_ENDS}]*{_INSIDE}[{_ENDS}]*$"
"""A valid name: its normal form is not empty and contains none of them."""
LABEL_PATTERN = f"^[{_ENDS}]*(?:{_INSIDE}[{_ENDS}]*)?$"
"""The same for a name that may be empty."""

_plain = re.compile("[!-~]+(?: [!-~]+)*").fullmatch
_no_width = re.compile(f"[{_NO_WIDTH}]")
_end = re.compile(f"[{_ENDS}]*").match
_spaces = re.compile(f"[{_SPACES}]+")
_unprintable = re.compile(f"[{UNPRINTABLE}]")
_not_shown = re.compile(f"[{UNPRINTABLE}\ud800-\udfff]")  # files may hold lone surrogates, which cannot be printed


def normalised(name: str) -> str:
    r"""Return the normal form of a name: composed (NFC), without zero-width marks, runs of spaces collapsed to one.

    White space of any kind and format characters (Cf) are stripped from both ends. Zero-width marks (U+200B to U+200D,
    U+2060, U+FEFF) are removed inside, too; other format characters there stay, and `unprintable` finds them. Letter
    case and look-alike letters are kept distinct. The normal form of a normal form is itself.

    >>> normalised("\ufeffgpt\u200b-4 \xa0 turbo\n"), normalised("cafe\u0301"), normalised(" \u200b")
    ('gpt-4 turbo', 'café', '')
    """
    if _plain(name):
        return name
    text = unicodedata.normalize("NFC", _no_width.sub("", name))  # marks first: one may separate the parts of a letter
    text = text[_end(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    return _spaces.sub(" ", text[: len(text) - _end(text[::-1]).end()])  # type: ignore[union-attr]


def unprintable(text: str) -> str | None:
    r"""Return the first character that no name may contain, as `U+…`; None when there is none.

    >>> unprintable("gpt-4\u202e"), unprintable("claude 3 \u0440")
    ('U+202E', None)
    """
    found = _unprintable.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


@lru_cache(maxsize=4096)
def settled(name: str) -> bool:
    """Whether a name is in its normal form and printable; cached, because the same few names are in every vote."""
    return normalised(name) == name and not unprintable(name)


LOST = frozenset(
    (
        *("nan", "none", "null", "nil", "undefined", "n/a", "#n/a", "#ref!", "#value!", "#name?"),
        *("<na>", "<nil>", "<null>", "(null)", "[object object]", r"\n"),
    )
)
"""Placeholders that software writes for a missing name; letter case does not matter. Databases write `\\N`."""

_parts = re.compile(r"[/:|@]")


@lru_cache(maxsize=4096)
def is_lost(name: str) -> bool:
    r"""Whether a name, or a part of it between slashes and colons, is a placeholder for a missing name.

    Accepted, it would merge the votes of many models into one.

    >>> is_lost("NaN"), is_lost("openai/undefined"), is_lost("n/a"), is_lost("nano-7b"), is_lost("none-such")
    (True, True, True, False, False)
    """
    folded = name.strip().casefold()
    return folded in LOST or any(part.strip() in LOST for part in _parts.split(folded))


def shown(text: str) -> str:
    r"""Return the text with every such character escaped, so that printing it is safe.

    >>> shown("a\x1b[31m\nb")
    'a\\x1b[31m\\x0ab'
    """
    return text if text.isascii() and text.isprintable() else _not_shown.sub(_written_out, text)


def as_json_escapes(text: str) -> str:
    r"""Return JSON with every such character as a JSON escape; its value stays the same.

    >>> as_json_escapes('{"a":"\x7f\U000e0041"}')
    '{"a":"\\u007f\\udb40\\udc41"}'
    """
    return _unprintable.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    if found[0] < " ":  # white space between values: JSON strings contain no raw control characters
        return found[0]
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
