"""A message shows any model name as text: no link, no mention, nothing that a service would act on."""

import html
import json
import re
from collections.abc import Container
from email import message_from_string, policy
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from aiosmtpd.controller import Controller
from requests.models import Response

from services.herald.channels.apprise_send import AppriseSender
from services.herald.channels.dialects import BREAK, dialect_of
from services.herald.rules.payload import text_message, webhook_body
from services.local.ports import free_port
from streams.contracts.alert import Alert, Subject
from streams.contracts.delivery import Outcome
from streams.contracts.setting_groups import HeraldSettings
from tests.support.herald import make_alert
from tests.support.hostile_names import HOSTILE
from tests.support.inbox import Inbox

BOARD = "https://board.example/?a=b&c=d"
URLS = {
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "discord embed": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?format=markdown",
    "gchat": "gchat://workspace/key/token",
    "opsgenie": "opsgenie://12345678-1234-1234-1234-123456789abc",
    "pagerduty": f"pagerduty://{'a' * 32}@{'c' * 32}",
    "pbul": f"pbul://{'a' * 34}",
    "pover": f"pover://{'u' * 30}@{'t' * 30}",
    "pover html": f"pover://{'u' * 30}@{'t' * 30}?format=html",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    "slack markdown": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?format=markdown",
    "tgram": "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12315544",
    "tgram markdown": "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12315544?format=markdown",
    "twilio": f"twilio://AC{'a' * 32}:{'b' * 32}@15555555555/15551234567",
    "victorops": f"victorops://route@{'a' * 36}/entity",
    "wxteams": f"wxteams://{'a' * 80}",
}
PLAIN_KEYS = {
    "opsgenie": ("message", "description"),
    "pagerduty": ("summary",),
    "pbul": ("title", "body"),
    "pover": ("title", "message"),
    "twilio": ("Body",),
    "victorops": ("entity_display_name", "state_message"),
    "wxteams": ("text",),
    "gchat": ("text",),
}


def alert_about(name: str) -> Alert:
    return msgspec.structs.replace(make_alert(1), subject=Subject(model=name), summary=f"Model {name} is gone.")


Calls = list[tuple[str, dict[str, Any]]]
"""URL and arguments of each call."""


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What Apprise would send: every call of the HTTP library, which is the last thing that it does with a message."""
    calls: Calls = []

    def request(_: object, method: object, url: str, **sent: Any) -> Response:
        calls.append((url, sent))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"ok":true,"result":{"id":1},"channel":"c","requestId":"r"}'
        return answer

    monkeypatch.setattr("requests.sessions.Session.request", request)
    monkeypatch.setattr("apprise.plugins.base.NotifyBase.throttle", lambda *_, **__: None)  # nobody is there
    return calls


def texts_of(sent: dict[str, Any], keys: Container[str]) -> list[str]:
    """All texts under these keys, however deep."""
    body = sent.get("json") or sent.get("data")
    body = json.loads(body) if isinstance(body, (str, bytes)) else body
    found, left = [], [body]
    while left:
        each = left.pop(0)
        if isinstance(each, dict):
            found += [value for key, value in each.items() if key in keys and isinstance(value, str)]
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def read_as(service: str, sent: dict[str, Any]) -> list[str]:
    """What a person reads, by the rules of the service; fails on what the service would act on."""
    kind = service.partition(" ")[0]
    if kind == "slack":
        assert not sent.get("json")
        texts = texts_of(sent, {"title", "text"})
        assert not any(set("<>") & set(text) for text in texts)
        assert json.loads(sent["data"])["mrkdwn"] is False
        return [html.unescape(text) for text in texts]
    if kind == "tgram":
        assert texts_of(sent, {"parse_mode"}) == ["HTML"]
        [text] = texts_of(sent, {"text"})
        assert re.findall("<[^>]*>", text) in (["<b>", "</b>"], [])  # of the title, which the first piece has
        return [html.unescape(re.sub("</?b>", "", text))]
    if kind == "discord":
        texts = texts_of(sent, {"content", "title", "description"})
        for text in texts:
            ours = re.sub(r"Runbook: \S+|https://board\S+| \[\d+/\d+\](?=\s)", "", text)
            assert not re.search(r"(?<!\\)(?:\\\\)*[*_~`|>#\[\]()<]", ours), ours
        return [re.sub(r"\\([\\*_~`|>#\[\]()<-])", r"\1", text) for text in texts]
    texts = texts_of(sent, PLAIN_KEYS[kind])
    assert not texts_of(sent, {"html", "markdown", "parse_mode"})
    return texts


@pytest.mark.parametrize("service", URLS)
async def test_every_service_shows_every_name(service: str, posted: Calls) -> None:
    url = URLS[service]
    dialect = dialect_of(url.partition(":")[0])
    async with AppriseSender(HeraldSettings()) as sender:
        for name in HOSTILE:
            posted.clear()
            title, text = text_message([alert_about(name)], BOARD, dialect.literal)
            await sender.send(url, title, text, "critical")
            assert posted, name
            # A long message goes out in pieces: what is cut between two words is one again.
            shown = "\n".join(text for _, sent in posted for text in read_as(service, sent))
            without_ours = re.sub(r"Runbook: \S+|https://board\S+", "", shown)
            assert "://" not in without_ours, name
            assert not re.search(f"[@<](?!{BREAK}|\\n)", without_ours), name
            assert _solid(name) in _solid(shown.replace(BREAK, "")), name


def _solid(text: str) -> str:
    return "".join(text.split())


async def test_e_mail_is_text_alone_with_every_name_in_it(tmp_path: Path) -> None:
    inbox, port = Inbox(), free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    url = tmp_path / "smtp"
    url.write_text(f"mailto://127.0.0.1:{port}?from=isonomy@example.org\n")
    try:
        async with AppriseSender(HeraldSettings(smtp_url_file=url)) as sender:
            for name in HOSTILE:
                title, text = text_message([alert_about(name)], BOARD, dialect_of("mailto").literal)
                answer = await sender.send("mailto:ada@example.com", title, text, "critical")
                assert answer.outcome is Outcome.DELIVERED, name
    finally:
        controller.stop()
    assert len(inbox.letters) == len(HOSTILE)
    for name, (_, letter) in zip(HOSTILE, inbox.letters, strict=True):
        mail = message_from_string(letter, policy=policy.default)
        assert [part.get_content_type() for part in mail.walk()] == ["text/plain"], name
        assert mail["To"] == "ada@example.com"
        body = mail.get_content().replace(BREAK, "").replace("\r\n", "\n")
        assert f"Model {name} is gone." in body, name
        assert str(make_header(decode_header(mail["Subject"]))).replace(BREAK, "").startswith("[CRITICAL] text: "), name


def test_a_webhook_has_the_name_itself() -> None:
    for name in HOSTILE:
        body = json.loads(webhook_body([alert_about(name)], "me", BOARD))
        assert body["alerts"][0]["labels"]["model"] == name


@pytest.mark.parametrize(("service", "pieces"), [("discord", 8), ("tgram", 8), ("twilio", 1), ("slack", 8)])
async def test_a_message_of_fifty_alerts_goes_out_in_a_few_pieces_or_begins(
    service: str, pieces: int, posted: Calls
) -> None:
    alerts = [alert_about(f"model-{number}") for number in range(50)]
    dialect = dialect_of(service)
    title, text = text_message(alerts, BOARD, dialect.literal)
    async with AppriseSender(HeraldSettings()) as sender:
        await sender.send(URLS[service], title, text, "critical")
    assert 1 <= len(posted) <= pieces
    shown = "".join(text for _, sent in posted for text in read_as(service, sent))
    assert "50 alerts" in shown
    if pieces > 1:
        missing = [number for number in range(50) if f"model-{number}isgone" not in _solid(shown.replace("\\", ""))]
        assert not missing
