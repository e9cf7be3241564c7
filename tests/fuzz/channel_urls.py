"""Channel URLs: what our guard allows, against what the plugin does that Apprise builds of it.

Every allowed URL is sent to, with the HTTP library replaced by one that writes down what it was asked for. It must have
been asked for the service's own hosts alone, with certificates checked and without redirects; and no file was read.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import requests

from services.herald.channels.apprise_send import build
from services.herald.channels.ssrf_guard import RefusedAddress

HOSTS = {
    "discord": {"discord.com"},
    "gchat": {"chat.googleapis.com"},
    "opsgenie": {"api.opsgenie.com", "api.eu.opsgenie.com"},
    "pagerduty": {"events.pagerduty.com", "events.eu.pagerduty.com"},
    "pbul": {"api.pushbullet.com"},
    "pover": {"api.pushover.net"},
    "slack": {"hooks.slack.com", "hooks.slack-gov.com", "slack.com"},
    "tgram": {"api.telegram.org"},
    "twilio": {"api.twilio.com"},
    "victorops": {"alert.victorops.com"},
    "wxteams": {"api.ciscospark.com", "webexapis.com"},
}
"""Where each service's messages go, as its own documentation says."""
CANARY = "harmless-canary"
SEEDS = (
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "gchat://workspace/key/token",
    "opsgenie://12345678-1234-1234-1234-123456789abc/@user/",
    f"pagerduty://{'a' * 32}@{'c' * 32}/source/component",
    f"pbul://{'a' * 34}/#channel/device",
    f"pover://{'u' * 30}@{'t' * 30}/device",
    "slack://bot@T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general/@user/+encoded",
    "slack://xoxb-1234567890-1234567890-abcdefghijklmnopqrstuvwx/#general",
    "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12315544",
    f"twilio://AC{'a' * 32}:{'b' * 32}@15555555555/15551234567",
    f"victorops://route@{'a' * 36}/entity",
    f"wxteams://{'a' * 80}",
)
_NAMES = (
    "verify", "template", "to", "channel", "thread", "format", "region", "footer", "priority", "mode", "store", "tz",
    "overflow", "rto", "cto", "emojis", "redirect", "avatar_url", "href", "url", "image", "attach", "batch", "blocks",
    "token", "key", "host", "from", "content", "mdv", "topic", "config", "include", "cache", "tag", "method", "schema",
)  # fmt: skip
_JOINTS = (
    "?",
    "&",
    "#",
    "/#",
    "/?",
    "?&",
    "&&",
    ";",
    "%3f",
    "%26",
    "%23",
    "/",
    "//",
    "?#",
    "#?",
    "%2f",
    ":",
    "@",
    ",",
    "|",
    "+",
    "-",
    "=",
)


@dataclass(slots=True)
class Seen:
    """What was asked of the HTTP library, and which files were opened."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


_watched: list[Seen] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched and event == "open":
        _watched[-1].files.append(str(arguments[0]))


sys.addaudithook(_audit)


@contextmanager
def watched() -> Iterator[Seen]:
    """Note all that is sent and opened."""
    seen = Seen()

    def request(_: Any, method: str, url: str, **sent: Any) -> requests.Response:
        seen.calls.append((url, sent))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"ok":true,"result":{"id":1},"channel":"c","requestId":"r"}'
        return answer

    with patch("requests.sessions.Session.request", request):
        _watched.append(seen)
        try:
            yield seen
        finally:
            _watched.pop()


def urls(seed: int, canary: Path) -> Iterator[str]:
    """URLs without end, near those that are allowed; the same for a seed."""
    choose = random.Random(seed)
    values = (
        "no",
        "yes",
        "",
        str(canary),
        f"file://{canary}",
        "127.0.0.1",
        "http://127.0.0.1:9/",
        "eu",
        "html",
        "1",
        "x" * 40,
    )

    def parameter() -> str:
        name = choose.choice(_NAMES)
        if choose.random() < 0.2:
            at = choose.randrange(len(name))
            name = f"{name[:at]}%{ord(name[at]):02x}{name[at + 1 :]}"
        if choose.random() < 0.2:
            name = name.upper()
        if choose.random() < 0.1:
            name = choose.choice("+-: %") + name
        return f"{name}={choose.choice(values)}"

    while True:
        url = choose.choice(SEEDS)
        for _ in range(choose.choice((0, 1, 1, 1, 2, 2, 3))):
            url += choose.choice(_JOINTS) + parameter()
        for _ in range(choose.choice((0, 0, 0, 1, 2, 4))):
            at = choose.randrange(len(url) + 1)
            cut = choose.choice((0, 0, 1, 3))
            url = (
                url[:at] + choose.choice((*_JOINTS, "a", "A", "0", "..", "%00", "[", "]", "{0}", "é")) + url[at + cut :]
            )
        yield url


def judge(url: str, canary: Path) -> bool:
    """Send to a URL if it is allowed; returns whether it was. Raises `AssertionError` when more happens than may."""
    with watched() as seen:
        try:
            plugin = build(url, None, allow_private=False)
        except RefusedAddress:
            plugin = None
        if plugin is not None:
            plugin.request_rate_per_sec = 0  # nobody is there who could be sent too much
            with suppress(Exception):  # our answers are not those of the service
                plugin.notify(title="title", body="body", notify_type="info", body_format="text")
    assert str(canary) not in seen.files, "a file was read"
    scheme = url.partition(":")[0].lower()
    for target, sent in seen.calls:
        assert urlsplit(target).hostname in HOSTS[scheme], target
        assert urlsplit(target).scheme == "https", target
        assert sent.get("verify") is True, "certificates are not checked"
        assert sent.get("allow_redirects") is False, "redirects are followed"
        assert CANARY not in repr(sent), "what a file holds was sent"
    return plugin is not None
