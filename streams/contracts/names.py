"""Names that people read: which characters may stand in one, and how a text that is not ours is shown.

A name with a newline, an escape sequence or a mark that turns the writing around looks like another one, or does
something to the terminal that shows it. So no door takes such a name. Records from before that rule, and texts that are
no names, are shown with those characters written out.

The set is Unicode's control and format characters (Cc, Cf) and its line and paragraph separators (Zl, Zp), without the
zero width joiner, which belongs to the writing of several languages. It is written here and not asked of the
interpreter: what is refused must not depend on the version of Python that asks.
"""

from __future__ import annotations

import re

UNPRINTABLE = (
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200c\u200e\u200f"
    "\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
"""What may stand in no name, as the inside of a class of a regular expression; Unicode 16."""

NAME_PATTERN = f"^[^{UNPRINTABLE}]*$"
"""The same as a pattern for JSON Schema."""

_unprintable = re.compile(f"[{UNPRINTABLE}]")
_not_shown = re.compile(f"[{UNPRINTABLE}\ud800-\udfff]")  # half characters come out of files; no terminal takes them


def unprintable(text: str) -> str | None:
    r"""First character that may stand in no name, written out; None when there is none.

    >>> unprintable("gpt-4\u202e"), unprintable("claude 3 \u0440")
    ('U+202E', None)
    """
    found = _unprintable.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def shown(text: str) -> str:
    r"""The text with every such character written out, so that it can be shown and does nothing.

    >>> shown("a\x1b[31m\nb")
    'a\\x1b[31m\\x0ab'
    """
    return text if text.isascii() and text.isprintable() else _not_shown.sub(_written_out, text)


def as_json_escapes(text: str) -> str:
    r"""JSON with every such character written as JSON does; what it says stays the same.

    >>> as_json_escapes('{"a":"\x7f\U000e0041"}')
    '{"a":"\\u007f\\udb40\\udc41"}'
    """
    return _unprintable.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    if found[0] < " ":  # between the values: JSON has none of them inside a string
        return found[0]
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
