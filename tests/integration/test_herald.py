"""The herald as a real process on a real broker, with real endpoints."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from services.http.api_keys import new_key
from services.local.ports import HOST, free_port
from services.local.process import ChildProcess
from streams.contracts.alert import Severity, Status
from streams.contracts.delivery import State
from streams.contracts.setting_groups import SubscriptionSettings
from streams.contracts.subscription import ChannelType
from tests.support.eventually import eventually, eventually_async
from tests.support.fork_server import ISONOMY, ForkedProcess, run_isonomy
from tests.support.herald import REPOSITORY, Endpoints, HeraldStack, make_alert, make_subscription
from tests.support.http import PLAIN
from tests.support.pipeline import READY
from tests.support.stack import TestBroker, TestRedis
from tests.support.subscribers import Board, open_board, write_keys


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with Endpoints() as endpoints:
        yield endpoints


@pytest.fixture
def stack(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> Iterator[HeraldStack]:
    stack = HeraldStack(broker.bootstrap, topic_prefix, tmp_path, {"ISONOMY_HERALD_GROUP_SECONDS": "0.3"})
    stack.create_topics()
    try:
        yield stack
    finally:
        stack.stop()


def test_an_alert_is_told_once_and_its_end_too_by_whichever_herald(stack: HeraldStack, endpoints: Endpoints) -> None:
    stack.subscribe(make_subscription("all", endpoints.url("/all")))
    stack.subscribe(make_subscription("other", endpoints.url("/other"), arena="code"))
    first = stack.herald("first").start().wait_owner()
    firing, over, later = make_alert(1), make_alert(1, Status.RESOLVED), make_alert(2)

    stack.tell(firing)
    eventually(lambda: len(endpoints.of("/all")) == 1)
    stack.tell(firing, firing, over)
    eventually(lambda: len(endpoints.of("/all")) == 2)

    # A clean end hands over at once; what is told again is no news to the second either.
    second = stack.herald("second").start()
    eventually(lambda: second.metric("stage_ready") == 1.0, READY)
    first.process.terminate(20)
    assert first.process.poll() == 0
    second.wait_owner()
    stack.tell(firing, over, later)
    eventually(lambda: len(endpoints.of("/all")) == 3)

    told = [each.alerts for each in endpoints.of("/all")]
    assert told == [[(firing.id, "firing")], [(firing.id, "resolved")], [(later.id, "firing")]]
    assert endpoints.of("/other") == []
    eventually(lambda: {each.state for each in stack.deliveries().values()} == {State.DELIVERED})
    assert len(stack.deliveries()) == 3
    claims = stack.claims()
    assert claims[0].by in {claim.by for claim in claims if claim.released}


def test_a_real_alertmanager_groups_calls_and_gets_the_resolve(
    stack: HeraldStack, endpoints: Endpoints, tmp_path: Path
) -> None:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("no Alertmanager, and deploy/ensure-prometheus could not install one")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        "route: {receiver: people, group_by: [arena], group_wait: 3s, group_interval: 1s, repeat_interval: 1h}\n"
        "receivers: [{name: people, webhook_configs: [{url: '"
        + endpoints.url("/people")
        + "', send_resolved: true}]}]\n"
    )
    port = free_port()
    argv = [program, f"--config.file={config}", f"--storage.path={tmp_path}/am", "--cluster.listen-address=",
            f"--web.listen-address={HOST}:{port}"]  # fmt: skip
    url = f"http://{HOST}:{port}"
    stack.subscribe(make_subscription("am", url, ChannelType.ALERTMANAGER, severity=Severity.WARNING))
    resend = 2.0
    herald = stack.herald(ISONOMY_HERALD_RESEND_SECONDS=str(resend)).start()
    with ChildProcess("alertmanager", argv, log_path=tmp_path / "alertmanager.log"):
        herald.wait_owner()
        eventually(lambda: answers(f"{url}/-/ready"))
        stack.tell(make_alert(1), make_alert(2), make_alert(3, severity=Severity.INFO))

        def told(status: str) -> set[str]:
            return {
                alert["labels"]["model"]
                for got in endpoints.of("/people")
                for alert in got.json["alerts"]
                if alert["status"] == status
            }

        eventually(lambda: told("firing") == {"model-1", "model-2"}, 30)
        # One group, one call: the first if both came within its wait, else the next.
        eventually(lambda: max(len(got.json["alerts"]) for got in endpoints.of("/people")) == 2, 30)
        # They still fire long after the end that each post names, because they are sent again.
        eventually(lambda: herald.metric("herald_resends_total") >= 6, 30)
        active = httpx.get(f"{url}/api/v2/alerts", **PLAIN).json()
        assert {alert["labels"]["model"] for alert in active} == {"model-1", "model-2"}
        assert {alert["annotations"]["summary"] for alert in active} == {make_alert(n).summary for n in (1, 2)}
        assert told("resolved") == set()

        stack.tell(make_alert(1, Status.RESOLVED))
        eventually(lambda: told("resolved") == {"model-1"}, 30)
        assert [alert["labels"]["model"] for alert in httpx.get(f"{url}/api/v2/alerts", **PLAIN).json()] == ["model-2"]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, **PLAIN).status_code == 200
    except httpx.TransportError:
        return False


def test_the_operator_ends_a_subscription_and_a_key_that_is_gone_hears_nothing(
    stack: HeraldStack, endpoints: Endpoints, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    lines = {name: new_key(name, "*")[1] for name in ("test", "other")}
    keys.write_text("".join(f"{line}\n" for line in lines.values()))
    env = {**stack.environment, "ISONOMY_SUBSCRIBER_KEYS_FILE": str(keys)}

    def operator(*words: str) -> subprocess.CompletedProcess[str]:
        return run_isonomy("subscriptions", *words, env=env, timeout=90)

    mine = make_subscription("mine", endpoints.url("/mine?token=s3cr3t"))
    theirs = msgspec.structs.replace(make_subscription("theirs", endpoints.url("/theirs")), owner="other")
    stack.subscribe(mine, theirs)
    stack.herald(ISONOMY_SUBSCRIBER_KEYS_FILE=str(keys)).start().wait_owner()
    stack.tell(make_alert(1))
    eventually(lambda: len(endpoints.of("/mine")) == len(endpoints.of("/theirs")) == 1)

    listed = operator("list").stdout
    assert ("mine" in listed, "theirs" in listed, "s3cr3t" in listed) == (True, True, False)
    assert operator("disable", "mine", "--reason", "too many").returncode == 0
    assert "disabled by the operator: too many" in operator("list").stdout
    stack.subscribe(msgspec.structs.replace(mine, revision=2))  # its owner changes it: it stays disabled
    keys.write_text(f"{lines['test']}\n")  # and the other's key is gone
    herald_log = tmp_path / "herald.log"
    eventually(lambda: "the key of other was removed" in herald_log.read_text())
    stack.subscribe(make_subscription("third", endpoints.url("/third")))
    stack.tell(make_alert(2))
    eventually(lambda: sum(len(got.alerts) for got in endpoints.of("/third")) == 2)
    assert (len(endpoints.of("/mine")), len(endpoints.of("/theirs"))) == (1, 1)

    assert operator("allow", "mine").returncode == 0
    eventually(lambda: len(endpoints.of("/mine")) == 2)
    keys.write_text("".join(f"{line}\n" for line in lines.values()))
    eventually(lambda: len(endpoints.of("/theirs")) == 2)
    assert operator("delete", "mine", "--yes").returncode == 0
    assert "mine" not in operator("list").stdout
    unknown = operator("disable", "mine", "--reason", "x")
    assert (unknown.returncode, "there is no subscription mine" in unknown.stderr) == (1, True)


# --- the API, and a herald behind it ---------------------------------------------------------------------------------


KEYS = {"ada": "*", "ben": "text"}


@pytest.fixture
async def board(stack: HeraldStack, tmp_path: Path) -> AsyncIterator[Board]:
    keys = tmp_path / "subscribers"
    secrets = write_keys(keys, KEYS)
    settings = msgspec.structs.replace(stack.settings, subscriptions=SubscriptionSettings(keys_file=keys))
    async with open_board(settings, secrets) as board:
        yield board


def webhook(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "mine", "channel": {"type": "webhook", "url": url}, **more}


async def test_the_life_of_a_subscription(stack: HeraldStack, endpoints: Endpoints, board: Board) -> None:
    herald = stack.herald(ISONOMY_HERALD_RETRY_SECONDS="0.1,0.1").start()
    made = await board.call("ada", "POST", body=webhook(endpoints.url("/ada?token=t0k3n"), match={"arena": "text"}))
    assert made.status_code == 201
    name, secret = made.json()["id"], made.json()["secret"]
    assert made.headers["location"] == f"/v1/subscriptions/{name}"
    shown = (await board.call("ada", "GET", f"/{name}")).text
    assert secret not in shown
    assert "t0k3n" not in shown

    # Another key does not see it, in any way.
    assert (await board.call("ben", "GET")).json() == {"subscriptions": []}
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", ""), ("POST", "/test"), ("GET", "/deliveries")):
        body = webhook(endpoints.url("/ben")) if method == "PUT" else None
        assert (await board.call("ben", method, f"/{name}{path}", body)).status_code == 404

    # A test is one attempt, and says what the endpoint said.
    tested = (await board.call("ada", "POST", f"/{name}/test")).json()
    assert (tested["outcome"], tested["status"], tested["detail"]) == ("delivered", 200, "answer of /ada")
    endpoints.behaviour["/ada"] = 503
    assert (await board.call("ada", "POST", f"/{name}/test")).json()["outcome"] == "rejected"
    assert await board.states("ada", name) == []

    # What fails for good can be sent again, each alone or all.
    await eventually_async(herald.is_owner, 45)
    await asyncio.to_thread(stack.tell, make_alert(1), make_alert(2, arena="code"))
    await asyncio.to_thread(stack.tell, make_alert(1, Status.RESOLVED))

    async def failed() -> bool:
        return sorted(await board.states("ada", name)) == [("dead", 0), ("skipped", 0)]

    await eventually_async(failed, 30)
    assert len(endpoints.of("/ada")) == 2 + 3
    endpoints.behaviour["/ada"] = 200
    assert (await board.call("ada", "POST", f"/{name}/replay")).json() == {"replayed": 2}

    async def delivered() -> bool:
        return await board.states("ada", name) == [("delivered", 1)] * 2

    await eventually_async(delivered, 30)
    assert [each.alerts for each in endpoints.of("/ada")[-2:]] == [
        [(make_alert(1).id, "firing")],
        [(make_alert(1).id, "resolved")],
    ]
    history = (await board.call("ada", "GET", f"/{name}/deliveries?state=delivered&limit=1")).json()
    assert (len(history["deliveries"]), history["total"]) == (1, 2)
    delivery = history["deliveries"][0]["id"]
    refused = await board.call("ada", "POST", f"/{name}/deliveries/{delivery}/replay")
    assert (refused.status_code, refused.json()["error"]["reason"]) == (409, "not_failed")

    # A new secret signs beside the old one.
    new = (await board.call("ada", "POST", f"/{name}/secret")).json()["secret"]
    await board.call("ada", "POST", f"/{name}/test")
    got = endpoints.of("/ada")[-1]
    for each in (secret, new):
        Webhook(each).verify(got.body, dict(got.headers))

    # 410 disables, and says so; a change makes it active again.
    endpoints.behaviour["/ada"] = 410
    await asyncio.to_thread(stack.tell, make_alert(3))

    async def disabled() -> bool:
        found = (await board.call("ada", "GET", f"/{name}")).json()
        return found["status"] == "disabled" and "410" in found["reason"]

    await eventually_async(disabled, 30)
    endpoints.behaviour["/ada"] = 200
    await asyncio.to_thread(stack.tell, make_alert(4))
    patched = await board.call("ada", "PATCH", f"/{name}", {"status": "active", "name": "again"})
    assert (patched.json()["status"], patched.json()["name"], patched.json()["reason"]) == ("active", "again", None)
    await eventually_async(lambda: (make_alert(4).id, "firing") in endpoints.of("/ada")[-1].alerts, 30)

    assert (await board.call("ada", "DELETE", f"/{name}")).status_code == 204
    assert (await board.call("ada", "GET", f"/{name}")).status_code == 404
    await eventually_async(lambda: asyncio.to_thread(lambda: not stack.deliveries()), 30)
    log = herald.process.log_path.read_text()
    assert "t0k3n" not in log
    assert secret not in log


@pytest.mark.parametrize(
    ("key", "body", "status", "reason"),
    [
        ("ada", {"name": "x"}, 422, "missing_field"),
        ("ada", webhook("https://example.com/", match={"sevrity": "critical"}), 422, "invalid_field"),
        ("ada", webhook("https://example.com/", match={"arena": "No Arena"}), 422, "invalid_arena"),
        ("ada", webhook("https://example.com/", status="asleep"), 422, "invalid_field"),
        ("ada", webhook("ftp://example.com/"), 422, "address_refused"),
        ("ada", {"name": "x", "channel": {"type": "apprise", "url": "syslog://"}}, 422, "address_refused"),
        ("ada", {"name": "x", "channel": {"type": "webhook", "url": "https://a.com", "secret": "x"}}, 422,
         "invalid_secret"),
        ("ada", {"name": "x", "channel": {"type": "webhook", "url": "https://a.com", "headers": {"Host": "b"}}}, 422,
         "invalid_field"),
        ("ben", webhook("https://example.com/"), 403, "forbidden"),
        ("ben", webhook("https://example.com/", match={"arena": "code"}), 403, "forbidden"),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_refused(
    board: Board, key: str, body: dict[str, Any], status: int, reason: str
) -> None:
    answer = await board.call(key, "POST", body=body)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
    assert (await board.call(key, "GET")).json() == {"subscriptions": []}


async def test_without_a_key_nothing_is_told(board: Board) -> None:
    for header in ({}, {"Authorization": "Bearer isonomy_x"}, {"Authorization": "Basic eDp5"}):
        answer = await board.clients["ada"].get("/v1/subscriptions", headers={"Authorization": "", **header})
        assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "unauthorized")
        assert "WWW-Authenticate" in answer.headers


def test_the_command_line_talks_to_a_real_board(
    stack: HeraldStack, endpoints: Endpoints, redis_server: TestRedis, redis_prefix: str, tmp_path: Path
) -> None:
    secret, line = new_key("ada", "*")
    (tmp_path / "subscribers").write_text(f"{line}\n")
    (tmp_path / "key").write_text(secret)
    port = free_port()
    env = {
        **stack.environment,
        "REDIS_URL": redis_server.url,
        "ISONOMY_REDIS_PREFIX": redis_prefix,
        "ISONOMY_BOARD_PORT": str(port),
        "ISONOMY_SUBSCRIBER_KEYS_FILE": str(tmp_path / "subscribers"),
    }

    def subscribe(*words: str, key: str = str(tmp_path / "key")) -> subprocess.CompletedProcess[str]:
        return run_isonomy("subscribe", "--key-file", key, *words, env=env, timeout=60)

    away = subscribe("list")
    assert (away.returncode, "cannot be reached" in away.stderr) == (1, True)
    with ForkedProcess("board", [*ISONOMY, "board"], log_path=tmp_path / "board.log", env=env, cwd=REPOSITORY):
        eventually(lambda: answers(f"http://{HOST}:{port}/healthz"), 30)
        eventually(lambda: subscribe("list").stdout.strip() == "no subscription", 30)
        made = json.loads(subscribe("create", endpoints.url("/cli"), "--arena", "text", "--format", "json").stdout)
        assert made["secret"].startswith("whsec_")
        listed = subscribe("list").stdout
        assert made["id"] in listed
        assert made["secret"] not in listed
        tested = subscribe("test", made["id"])
        assert (tested.returncode, tested.stdout.split()[:2]) == (0, ["delivered", "200"])
        Webhook(made["secret"]).verify(endpoints.of("/cli")[0].body, dict(endpoints.of("/cli")[0].headers))
        endpoints.behaviour["/cli"] = "redirect"
        tested = subscribe("test", made["id"])
        assert (tested.returncode, tested.stdout.split()[:2]) == (1, ["redirected", "302"])
        assert endpoints.of("/elsewhere") == []
        assert subscribe("deliveries", made["id"]).stdout.strip() == "0 of 0"
        assert subscribe("replay", made["id"]).stdout.startswith("0 ")
        refused = subscribe("create", "ftp://example.com")
        assert (refused.returncode, "address_refused" in refused.stderr) == (1, True)
        assert "Traceback" not in refused.stderr
        assert subscribe("delete", made["id"]).returncode == 0
        assert subscribe("list").stdout.strip() == "no subscription"
