"""Which Apprise URLs a subscriber may give: what the text says. Pure.

Apprise connects by itself, so the guard of our own client does not hold for it. Services whose host is written in
Apprise are allowed; those that take any host are not, unless private addresses are allowed, where there is nothing to
guard. E-mail goes through the operator's SMTP server alone.

This is the first look. The second is at what Apprise makes of the URL (`apprise_build.py`), and it is the one that
counts: it reads parameters where Apprise reads them.
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
"""Schemes whose host Apprise knows, and e-mail."""
PARAMETERS = {"channel", "footer", "format", "priority", "region", "thread", "to"}

_address = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}\Z").match
_plain = re.compile(r"[!-~]{1,2048}\Z").match
_LOCAL_FILES = {"file", "dbus", "gnome", "windows", "macosx", "syslog", "kde", "qt", "glib", "memory"}


def apprise_scheme(url: str) -> str:
    """Which service a URL is of; the only word of it that is no secret.

    >>> apprise_scheme("Slack://TokenA/TokenB/TokenC")
    'slack'
    """
    return url.partition(":")[0].lower()


def read_apprise_url(text: str, *, allow_private: bool) -> str:
    """Hold an Apprise URL against the rules.

    Returns
    -------
    The URL; of e-mail, the address alone.

    Raises
    ------
    RefusedAddress
        With the reason, and without the URL, which holds tokens.
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
        raise RefusedAddress(f"after {scheme}: come two slashes")
    if re.search("(?<!/)#", text):
        raise RefusedAddress("a # stands only before the name of a channel: /#alerts")
    return text
