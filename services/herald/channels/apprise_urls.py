"""Which Apprise URLs a subscriber may use: the check of the text. Pure.

Apprise opens its own connections, so the guard of our HTTP client does not cover it. Services with a host that is fixed
in Apprise are allowed. Services that take any host are not, unless private addresses are allowed and there is nothing
to guard. E-mail goes only through the operator's SMTP server.

This is the first check. `apprise_send.py` makes the second and decisive one: it inspects what Apprise has parsed.
"""

from __future__ import annotations

import re

from services.herald.channels.ssrf_guard import RefusedAddress

SERVICES = {
    "discord": "Discord",
    "gchat": "Google Chat",
    "mailto": "e-mail",
    "opsgenie": "Opsgenie",
    "pagerduty": "PagerDuty",
    "pbul": "Pushbullet",
    "pover": "Pushover",
    "slack": "Slack",
    "tgram": "Telegram",
    "twilio": "Twilio",
    "victorops": "Splunk On-Call",
    "wxteams": "Webex",
}
"""Schemes with a host that is fixed in Apprise, and e-mail."""
PARAMETERS = {"channel", "footer", "format", "priority", "region", "thread", "to"}

_address = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}\Z").match
_plain = re.compile(r"[!-~]{1,2048}\Z").match
_LOCAL_FILES = {"file", "dbus", "gnome", "windows", "macosx", "syslog", "kde", "qt", "glib", "memory"}


def apprise_scheme(url: str) -> str:
    """Service of a URL, in lower case. No other part of the URL may be logged or shown.

    >>> apprise_scheme("Slack://TokenA/TokenB/TokenC")
    'slack'
    """
    return url.partition(":")[0].lower()


def read_apprise_url(text: str, *, allow_private: bool) -> str:
    """Check an Apprise URL.

    Returns
    -------
    The URL; for e-mail, only the address.

    Raises
    ------
    RefusedAddress
        With the reason but without the URL, which contains tokens.
    """
    if not _plain(text) or "\\" in text:
        raise RefusedAddress("an Apprise URL is 1 to 2048 visible characters of ASCII, without a backslash")
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon:
        raise RefusedAddress("an Apprise URL begins with its service: slack://, discord://, mailto:, …")
    if scheme == "mailto":
        if not _address(rest):
            raise RefusedAddress("e-mail is mailto: and one address; the server is the operator's")
        return rest
    if scheme not in SERVICES and (not allow_private or scheme in _LOCAL_FILES):
        raise RefusedAddress(f"{scheme[:20]!r} is none of {', '.join(sorted(SERVICES))}")
    if not rest.startswith("//"):
        raise RefusedAddress(f"{scheme}: must be followed by two slashes")
    if re.search("(?<!/)#", text):
        raise RefusedAddress("a # is allowed only before the name of a channel: /#alerts")
    return text
