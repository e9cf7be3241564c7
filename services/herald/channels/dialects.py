"""How a stranger's words are written so that a service shows them as they are.

The name of a model is given by whoever sends votes. In a message it must be text: no link, no picture, nobody called
by a mention, no tag that makes the service refuse the message. Each service has rules of its own for that. Pure.

References
----------
.. [1] Slack, "Formatting text for app surfaces": `&`, `<` and `>` are written as entities; Apprise does it.
.. [2] Telegram Bot API, "HTML style": the same; anything else in angle brackets makes the whole message fail.
.. [3] Discord, "Message formatting": markdown is escaped with a backslash; mentions are found in the plain text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

BREAK = "\u200b"
"""Zero width space: no name holds one, nobody sees it, and a mention or link with one in it is none."""

_LINK = re.compile(r"(?<=:)(?=//)|(?<=@)|(?<=<)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_MARKDOWN = re.compile(r"[\\*_~`|>#\[\]()<-]")


def _as_it_is(text: str) -> str:
    return text


def _broken(text: str) -> str:
    r"""The text with no mention and no link in it.

    >>> _broken("@all <users/all> https://x.example").replace(BREAK, "¦")
    '@¦all <¦users/all> https:¦//x.example'
    """
    return _LINK.sub(BREAK, text)


def _discord(text: str) -> str:
    r"""The text for Discord, which reads markdown.

    >>> _discord("*x* @here").replace(BREAK, "¦")
    '\\*x\\* @¦here'
    """
    return _MARKDOWN.sub(r"\\\g<0>", _broken(text))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service wants to be written to.

    Parameters
    ----------
    form
        What the plugin is told it sends.
    literal
        Writes a stranger's words so that they are shown as they are.
    whole
        Writes the message, ours and theirs.
    """

    form: str = "text"
    literal: Callable[[str], str] = _broken
    whole: Callable[[str], str] = _as_it_is


_DIALECTS = {
    "discord": Dialect(literal=_discord),
    "tgram": Dialect("html", whole=lambda text: html.escape(text, quote=False)),
}
_PLAIN = Dialect()


def dialect_of(scheme: str) -> Dialect:
    """Dialect of an Apprise service: of most, plain text."""
    return _DIALECTS.get(scheme, _PLAIN)
