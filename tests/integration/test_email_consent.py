"""E-mail is confirmed by its recipient before anything is sent: real letters, a real broker, a real herald."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from email import message_from_string, policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from aiosmtpd.controller import Controller
from msgspec.structs import replace

from services.herald.channels.dialects import BREAK
from services.local.ports import HOST, free_port
from streams.contracts.alert import Status
from streams.contracts.subscription import ChannelType
from tests.support.eventually import eventually, eventually_async
from tests.support.fork_server import ForkedProcess, run_isonomy
from tests.support.herald import REPOSITORY, Endpoints, HeraldStack, make_alert, make_subscription
from tests.support.http import PLAIN
from tests.support.inbox import Inbox
from tests.support.stack import TestBroker, TestRedis
from tests.support.subscribers import Board, open_board, write_keys

KEYS = {"ada": "*", "ben": "*", "cleo": "*", "dora": "*"}
PUBLIC = "https://board.example/arena"
EVE = "mailto:eve@example.org"


@dataclasses.dataclass
class Mail:
    """A mail server, and what it was given."""

    directory: Path
    inbox: Inbox = dataclasses.field(default_factory=Inbox)
    port: int = dataclasses.field(default_factory=free_port)
    controller: Controller | None = None

    def open(self) -> Mail:
        self.controller = Controller(self.inbox, hostname=HOST, port=self.port)
        self.controller.start()
        return self

    def close(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    @property
    def url_file(self) -> Path:
        file = self.directory / "smtp"
        file.write_text(f"mailto://{HOST}:{self.port}?from=isonomy@example.org\n")
        return file

    def to(self, address: str) -> list[str]:
        """Texts of the letters to an address, in order."""
        letters = [letter for to, letter in self.inbox.letters if to == [address]]
        return [message_from_string(letter, policy=policy.default).get_content() for letter in letters]

    def link(self, address: str) -> str:
        """Path and query of the last link that an address was sent."""
        [url] = re.findall(r"https://board\.example/arena\S+/confirm\S+", self.to(address)[-1])
        parts = urlsplit(url)
        return f"{parts.path.removeprefix('/arena')}?{parts.query}"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    mail = Mail(tmp_path).open()
    try:
        yield mail
    finally:
        mail.close()


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with Endpoints() as endpoints:
        yield endpoints


@pytest.fixture
def stack(broker: TestBroker, topic_prefix: str, tmp_path: Path, mail: Mail) -> Iterator[HeraldStack]:
    environ = {"ISONOMY_HERALD_GROUP_SECONDS": "0.1", "ISONOMY_SMTP_URL_FILE": str(mail.url_file)}
    stack = HeraldStack(broker.bootstrap, topic_prefix, tmp_path, environ)
    stack.create_topics()
    try:
        yield stack
    finally:
        stack.stop()


Open = Callable[..., AbstractAsyncContextManager[Board]]


@pytest.fixture
def opened(stack: HeraldStack, tmp_path: Path) -> Open:
    """Opens a process of the board with other settings, given by group; each on the same topics and keys."""
    keys = tmp_path / "subscribers"
    secrets = write_keys(keys, KEYS)

    def open_one(**changes: dict[str, Any]) -> AbstractAsyncContextManager[Board]:
        settings = stack.settings
        given = {"subscriptions": {"keys_file": keys}, "board": {"public_url": PUBLIC}, "herald": {}}
        groups = {
            group: replace(getattr(settings, group), **{**always, **changes.get(group, {})})
            for group, always in given.items()
        }
        return open_board(replace(settings, **groups), secrets)

    return open_one


@pytest.fixture
async def board(opened: Open) -> AsyncIterator[Board]:
    async with opened() as board:
        yield board


def e_mail(url: str = EVE, **more: Any) -> dict[str, Any]:
    return {"name": "mine", "channel": {"type": "apprise", "url": url}, **more}


def webhook(url: str) -> dict[str, Any]:
    return {"name": "hook", "channel": {"type": "webhook", "url": url}}


def form(link: str, do: str = "confirm") -> dict[str, str]:
    return {"token": link.partition("token=")[2], "do": do}


async def press(board: Board, link: str, do: str = "confirm") -> httpx.Response:
    return await board.anybody.post(link.partition("?")[0], data=form(link, do))


async def told(stack: HeraldStack, endpoints: Endpoints, *alerts: Any) -> None:
    """Publish alerts, and wait until the herald has handled them: the webhook next to the e-mail has got them."""
    before = sum(len(got.alerts) for got in endpoints.of("/hook"))
    await asyncio.to_thread(stack.tell, *alerts)
    await eventually_async(lambda: sum(len(got.alerts) for got in endpoints.of("/hook")) == before + len(alerts), 30)


async def test_nothing_but_the_question_is_sent_before_the_recipient_has_pressed_the_button(
    stack: HeraldStack, endpoints: Endpoints, board: Board, mail: Mail
) -> None:
    await asyncio.to_thread(stack.herald().start().wait_owner)
    await board.call("ada", "POST", body=webhook(endpoints.url("/hook")))
    made = await board.call("ada", "POST", body=e_mail(name="<b>prize</b> evil.example", match={"arena": "text"}))
    assert (made.status_code, made.json()["status"]) == (201, "unconfirmed")
    assert made.json()["confirmation"]["outcome"] == "delivered"
    name = made.json()["id"]
    [question] = mail.to("eve@example.org")
    plain = question.replace(BREAK, "")
    for said in ('the key "ada"', "the arena text", "do nothing", "no alert will be sent here"):
        assert said in plain, plain
    assert "evil.example" not in question, "a program would make a link of it"
    link = mail.link("eve@example.org")
    token = link.partition("token=")[2]
    assert token not in made.text
    assert token not in (await board.call("ada", "GET", f"/{name}")).text

    over = make_alert(2)
    await told(stack, endpoints, make_alert(1), over)
    await told(stack, endpoints, make_alert(2, Status.RESOLVED))
    tested = await board.call("ada", "POST", f"/{name}/test")
    assert (tested.status_code, tested.json()["error"]["reason"]) == (409, "no_consent")
    assert (await board.call("ada", "PATCH", f"/{name}", {"status": "active"})).json()["status"] == "unconfirmed"
    assert (await board.call("ada", "PATCH", f"/{name}", {"status": "unconfirmed"})).status_code == 422

    # A program that follows the link changes nothing, and neither does who guesses.
    for method in ("GET", "HEAD", "GET"):
        page = await board.anybody.request(method, link)
        assert page.status_code == 200
    assert "&lt;b&gt;prize" in page.text
    assert "<b>" not in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    path = link.partition("?")[0]
    elsewhere = path.replace(name, "sub_none")
    wrong = [
        await board.anybody.get(path),
        await board.anybody.get(f"{path}?token=x"),
        await board.anybody.get(f"{elsewhere}?token={token}"),
        await board.anybody.post(path, data={"token": "x"}),
        await board.anybody.post(link),
        await board.anybody.post(path, content="é=1&" * 20),
        await board.anybody.post(elsewhere, data=form(link)),
    ]
    assert {(each.status_code, each.text) for each in wrong} == {(404, wrong[0].text)}, "nobody learns what there is"
    assert (await board.call("ada", "GET", f"/{name}")).json()["status"] == "unconfirmed"
    assert (await board.call("ada", "GET", f"/{name}/deliveries")).json()["total"] == 0
    assert len(mail.to("eve@example.org")) == 1

    # It begins when the button is pressed: what still fires is told, what is over is not.
    confirmed = await press(board, link)
    assert (confirmed.status_code, "Confirmed" in confirmed.text) == (200, True)
    shown = (await board.call("ada", "GET", f"/{name}")).json()
    assert (shown["status"], shown["reason"], shown["consent"]["confirmed_at"] is not None) == ("active", None, True)
    await eventually_async(lambda: len(mail.to("eve@example.org")) == 2, 30)
    assert "model-1" in mail.to("eve@example.org")[1]
    await told(stack, endpoints, make_alert(3))
    await eventually_async(lambda: "model-3" in mail.to("eve@example.org")[-1], 30)
    assert not any("model-2" in letter for letter in mail.to("eve@example.org"))
    assert (await board.call("ada", "POST", f"/{name}/confirmation")).json()["error"]["reason"] == "nothing_to_confirm"
    revision = (await board.call("ada", "GET", f"/{name}")).json()["revision"]
    assert (await press(board, link)).status_code == 200
    assert (await board.call("ada", "GET", f"/{name}")).json()["revision"] == revision, "pressed twice is once"

    # The same link stops it, once; what the owner then may do is ask again.
    assert "Stop" in (await board.anybody.get(link)).text
    assert (await press(board, link, "stop")).status_code == 200
    assert (await press(board, link)).status_code == 404
    await told(stack, endpoints, make_alert(4))
    assert not any("model-4" in letter for letter in mail.to("eve@example.org"))
    assert (await board.call("ada", "POST", f"/{name}/confirmation")).json()["outcome"] == "delivered"
    assert (await press(board, mail.link("eve@example.org"))).status_code == 200
    await eventually_async(lambda: "model-4" in mail.to("eve@example.org")[-1], 30)
    assert [board.counted(what) for what in ("asked", "confirmed", "withdrawn", "failed")] == [2, 2, 1, 0]


async def test_another_address_has_to_be_confirmed_anew_and_nothing_else_has(
    stack: HeraldStack, endpoints: Endpoints, board: Board, mail: Mail
) -> None:
    await asyncio.to_thread(stack.herald().start().wait_owner)
    await board.call("ada", "POST", body=webhook(endpoints.url("/hook")))
    name = (await board.call("ada", "POST", body=e_mail())).json()["id"]
    old = mail.link("eve@example.org")
    assert (await press(board, old)).status_code == 200
    for change in ({"name": "other"}, {"match": {"arena": "text"}}, {"channel": e_mail()["channel"]}):
        assert (await board.call("ada", "PATCH", f"/{name}", change)).json()["status"] == "active"
    assert (await board.call("ada", "PUT", f"/{name}", e_mail())).json()["status"] == "active"

    to_mal = {"channel": e_mail("mailto:mal@example.org")["channel"]}
    moved = (await board.call("ada", "PATCH", f"/{name}", to_mal)).json()
    assert (moved["status"], moved["confirmation"]["outcome"]) == ("unconfirmed", "delivered")
    assert (await board.anybody.get(old)).status_code == 404
    await told(stack, endpoints, make_alert(1))
    assert len(mail.to("eve@example.org")) == len(mail.to("mal@example.org")) == 1
    # Elsewhere than to an address nobody has to agree; back there, it has to be asked for again.
    hook = {"channel": {"type": "webhook", "url": endpoints.url("/mine")}}
    assert (await board.call("ada", "PATCH", f"/{name}", hook)).json()["status"] == "active"
    await eventually_async(lambda: len(endpoints.of("/mine")) == 1, 30)
    back = await board.call("ada", "PATCH", f"/{name}", {"channel": e_mail()["channel"]})
    assert back.json()["status"] == "unconfirmed"
    assert (await board.anybody.get(old)).status_code == 404
    assert len(mail.to("eve@example.org")) == 2


async def test_a_subscription_from_before_the_rule_hears_on_until_its_address_changes(
    stack: HeraldStack, board: Board, mail: Mail
) -> None:
    older = make_subscription("old", "mailto:old@example.org", ChannelType.APPRISE)
    older = replace(older, owner="ada")
    await asyncio.to_thread(stack.subscribe, older)
    await asyncio.to_thread(stack.herald().start().wait_owner)
    await asyncio.to_thread(stack.tell, make_alert(1))
    await eventually_async(lambda: len(mail.to("old@example.org")) == 1, 30)
    assert "model-1" in mail.to("old@example.org")[0]
    await eventually_async(lambda: board.has("ada", "old"))
    renamed = (await board.call("ada", "PATCH", "/old", e_mail("mailto:old@example.org"))).json()
    assert (renamed["name"], renamed["status"], renamed["consent"]) == ("mine", "active", None)
    moved = (await board.call("ada", "PATCH", "/old", {"channel": e_mail()["channel"]})).json()
    assert (moved["status"], moved["confirmation"]["outcome"]) == ("unconfirmed", "delivered")


@pytest.mark.parametrize(
    "url",
    [
        "mailto:eve@example.org,mal@example.org",
        "mailto:eve@example.org?cc=mal@example.org",
        "mailto:eve@example.org?bcc=mal@example.org",
        "mailto:eve@example.org?to=mal@example.org",
        "mailtos://user:password@example.org?to=eve@example.org",
        "sendgrid://APIKEY:from@example.org/eve@example.org",
        f"pbul://{'a' * 34}/eve@example.org",
    ],
)
async def test_one_plain_address_is_the_only_way_to_e_mail_even_where_private_addresses_are_allowed(
    board: Board, mail: Mail, url: str
) -> None:
    answer = await board.call("ada", "POST", body=e_mail(url))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (422, "address_refused")
    assert "one address" in answer.json()["error"]["detail"]
    assert (await board.call("ada", "GET")).json() == {"subscriptions": []}
    assert mail.inbox.letters == []


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"herald": {"smtp_url_file": None}}, "ISONOMY_SMTP_URL_FILE"),
        ({"herald": {"allow_private": False}, "board": {"public_url": "http://localhost:8081"}}, "ISONOMY_PUBLIC_URL"),
        ({"board": {"public_url": "board.example"}}, "ISONOMY_PUBLIC_URL"),
    ],
)
async def test_where_no_link_could_be_sent_or_opened_e_mail_is_refused(
    opened: Open, mail: Mail, settings: dict[str, dict[str, Any]], named: str
) -> None:
    async with opened(**settings) as board:
        answer = await board.call("ada", "POST", body=e_mail())
    assert (answer.status_code, named in answer.json()["error"]["detail"]) == (422, True)
    assert mail.inbox.letters == []


async def test_a_link_that_could_not_be_sent_is_said_and_can_be_asked_for_again(board: Board, mail: Mail) -> None:
    mail.close()
    made = (await board.call("ada", "POST", body=e_mail())).json()
    assert (made["status"], made["confirmation"]["outcome"]) == ("unconfirmed", "failed")
    mail.open()
    assert (await board.call("ada", "POST", f"/{made['id']}/confirmation")).json()["outcome"] == "delivered"
    first = mail.link("eve@example.org")
    assert (await press(board, first)).status_code == 200


# --- budgets ---------------------------------------------------------------------------------------------------------


async def ask_for(board: Board, key: str, url: str) -> int:
    """Make an e-mail subscription and delete it at once: what was asked stays asked."""
    made = await board.call(key, "POST", body=e_mail(url))
    if made.status_code == 201:
        assert (await board.call(key, "DELETE", f"/{made.json()['id']}")).status_code == 204
    elif made.status_code == 429:
        assert int(made.headers["Retry-After"]) > 80_000
    return made.status_code


async def test_nobody_s_mailbox_is_bombed_whoever_asks_and_however_it_is_written(opened: Open, mail: Mail) -> None:
    async with opened() as board:
        assert [await ask_for(board, "ada", EVE) for _ in range(3)] == [201, 201, 429], "a key leaves one for others"
        assert await ask_for(board, "ben", "mailto:Eve+x@Example.org") == 201
        assert [await ask_for(board, key, EVE) for key in ("ben", "cleo")] == [429, 429]
        assert await ask_for(board, "ada", "mailto:mal@example.org") == 201, "it is about the mailbox"
    async with opened() as board:  # another process, or the same after a restart
        assert [await ask_for(board, key, EVE) for key in ("ada", "dora")] == [429, 429]
        made = await board.call("dora", "POST", body=e_mail("mailto:dora@example.org"))
        assert (await press(board, mail.link("dora@example.org"))).status_code == 200
        assert (await board.call("dora", "GET", f"/{made.json()['id']}")).json()["status"] == "active"
        assert board.counted("refused") == 2
    assert len(mail.to("eve@example.org")) + len(mail.to("Eve+x@Example.org")) == 3


async def test_processes_that_ask_at_once_share_the_budget_exactly(opened: Open, mail: Mail) -> None:
    async with opened() as one, opened() as other:
        asks = [ask_for(board, key, EVE) for board in (one, other) for key in KEYS]
        statuses = await asyncio.gather(*asks)
    assert sorted(statuses) == [201] * 3 + [429] * 5
    assert len(mail.to("eve@example.org")) == 3


async def test_a_key_that_has_asked_as_many_as_it_may_keeps_no_other_from_asking(opened: Open, mail: Mail) -> None:
    async with opened(subscriptions={"confirmations_per_key": 4}) as board:
        statuses = [await ask_for(board, "ada", f"mailto:person{number}@example.org") for number in range(6)]
        assert statuses == [201] * 4 + [429] * 2
        assert await ask_for(board, "ben", "mailto:person5@example.org") == 201
    assert len(mail.inbox.letters) == 5


async def test_a_key_at_its_number_of_addresses_and_of_subscriptions_keeps_no_other_from_theirs(
    opened: Open, endpoints: Endpoints, mail: Mail
) -> None:
    async with opened(subscriptions={"key_emails": 2, "key_subscriptions": 4}) as board:
        mails = [board.call("ada", "POST", body=e_mail(f"mailto:a{number}@example.org")) for number in range(4)]
        answers = await asyncio.gather(*mails)
        assert sorted(each.status_code for each in answers) == [201, 201, 422, 422], "many at once are no more"
        hooks = [board.call("ada", "POST", body=webhook(endpoints.url("/hook"))) for _ in range(4)]
        answers = await asyncio.gather(*hooks)
        assert sorted(each.status_code for each in answers) == [201, 201, 422, 422]
        refused = next(each.json()["error"] for each in answers if each.status_code == 422)
        assert refused["reason"] == "too_many_subscriptions"
        # A subscription that is there may not become e-mail by a change either.
        hook = next(each.json()["id"] for each in answers if each.status_code == 201)
        changed = await board.call("ada", "PATCH", f"/{hook}", {"channel": e_mail("mailto:a9@example.org")["channel"]})
        assert changed.json()["error"]["reason"] == "too_many_subscriptions"
        assert (await board.call("ben", "POST", body=e_mail("mailto:ben@example.org"))).status_code == 201
    assert len(mail.inbox.letters) == 3


# --- the command line, and the operator's ----------------------------------------------------------------------------


def test_the_command_lines_show_it_and_the_page_is_one_of_the_board_s(
    stack: HeraldStack, mail: Mail, redis_server: TestRedis, redis_prefix: str, tmp_path: Path
) -> None:
    port, keys = free_port(), tmp_path / "subscribers"
    (tmp_path / "key").write_text(write_keys(keys, {"ada": "*"})["ada"])
    env = {
        **stack.environment,
        "REDIS_URL": redis_server.url,
        "ISONOMY_REDIS_PREFIX": redis_prefix,
        "ISONOMY_BOARD_PORT": str(port),
        "ISONOMY_PUBLIC_URL": PUBLIC,
        "ISONOMY_SUBSCRIBER_KEYS_FILE": str(keys),
    }

    def isonomy(*words: str) -> subprocess.CompletedProcess[str]:
        return run_isonomy(*words, env=env, timeout=90)

    def subscribe(*words: str) -> subprocess.CompletedProcess[str]:
        return isonomy("subscribe", "--key-file", str(tmp_path / "key"), *words)

    argv = [sys.executable, "-m", "services.cli.main", "board"]
    with ForkedProcess("board", argv, log_path=tmp_path / "board.log", env=env, cwd=REPOSITORY):
        eventually(lambda: subscribe("list").stdout.strip() == "no subscription", 30)
        made = subscribe("create", EVE, "--type", "apprise")
        assert "unconfirmed: a link was sent" in made.stdout, made.stderr
        [found] = json.loads(subscribe("list", "--format", "json").stdout)
        assert found["status"] == "unconfirmed"
        assert "unconfirmed" in subscribe("list").stdout
        assert "unconfirmed" in isonomy("subscriptions", "list").stdout
        tested = subscribe("test", found["id"])
        assert (tested.returncode, "no_consent" in tested.stderr) == (1, True)
        again = subscribe("ask", found["id"])
        assert (again.returncode, "a link was sent" in again.stdout) == (0, True)
        assert "rate_limited" in subscribe("ask", found["id"]).stderr

        url = f"http://{HOST}:{port}{mail.link('eve@example.org')}"
        page = httpx.get(url, **PLAIN)
        assert (page.status_code, page.headers["X-Content-Type-Options"]) == (200, "nosniff")
        styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
        found_there = [httpx.get(str(httpx.URL(url).join(each)), **PLAIN).status_code for each in styles]
        assert found_there == [200, 200]
        assert isonomy("subscriptions", "disable", found["id"], "--reason", "complaints").returncode == 0
        assert "disabled by the operator: complaints" in subscribe("ask", found["id"]).stderr
        assert isonomy("subscriptions", "allow", found["id"]).returncode == 0
        assert httpx.post(url.partition("?")[0], data=form(url), **PLAIN).status_code == 200
        eventually(lambda: json.loads(subscribe("list", "--format", "json").stdout)[0]["status"] == "active", 30)
        metrics = httpx.get(f"http://{HOST}:{port}/metrics", **PLAIN).text
        assert 'isonomy_confirmations_total{what="confirmed"} 1.0' in metrics
    log = (tmp_path / "board.log").read_text()
    assert "confirmed by its recipient" in log
    assert url.partition("token=")[2] not in log
    assert "eve@example.org" not in log
