"""Escaping: how untrusted words are written so that a service shows them as plain text. Pure.

Whoever sends votes chooses the names of models. In a message, a name must not become a link, an image or a mention, nor
a tag that makes the service refuse the message. Each service has its own rules.

References
----------
.. [1] Slack, "Formatting text for app surfaces": `&`, `<` and `>` become entities; Apprise does that.
.. [2] Telegram Bot API, "HTML style": the same; the API refuses a message with any unknown tag.
.. [3] Discord, "Message formatting": a backslash escapes markdown; mentions are parsed from the plain text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

BREAK = "\u200b"
"""Zero width space. It is invisible, no normalised name contains one, and it breaks a mention or a link."""

_LINK = re.compile(r"(?<=:)(?=//)|(?<=@)|(?<=<)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_MARKDOWN = re.compile(r"[\\*_~`|>#\[\]()<-]")


def _as_it_is(text: str) -> str:
    return text


def _broken(text: str) -> str:
    r"""Break every mention and link in the text.

    >>> _broken("@all <users/all> https://x.example").replace(BREAK, "¦")
    '@¦all <¦users/all> https:¦//x.example'
    """
    return _LINK.sub(BREAK, text)


def _discord(text: str) -> str:
    r"""Escape the text for Discord, which renders markdown.

    >>> _discord("*x* @here").replace(BREAK, "¦")
    '\\*x\\* @¦here'
    """
    return _MARKDOWN.sub(r"\\\g<0>", _broken(text))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to write text for a service.

    Parameters
    ----------
    form
        Format that the plugin is given.
    literal
        Escapes untrusted words.
    whole
        Escapes the complete message.
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
    """Dialect of an Apprise service; plain text for most."""
    return _DIALECTS.get(scheme, _PLAIN)
