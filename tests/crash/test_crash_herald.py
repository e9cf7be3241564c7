"""Heralds are killed and frozen while they deliver: no delivery is lost, and no acknowledged one is sent twice.

The only exception: an attempt may be repeated if its answer arrived but its record was not written. The repeat has the
same webhook-id.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from services.herald.channels.signing import new_secret
from services.herald.lease import LEASE
from streams.contracts.alert import Status
from streams.contracts.delivery import Claim, Delivery, Outcome, State
from tests.support.eventually import eventually
from tests.support.herald import Endpoints, HeraldStack, Received, make_alert, make_subscription
from tests.support.stack import TestBroker

pytestmark = pytest.mark.crash

SUBSCRIBERS = 200
HANGING, FAILING, GONE = "/hanging", "/failing", "/gone"
SCALE = 600
"""Factor by which retries, and the hour for which one endpoint fails, are faster than in production."""
WAITS = ",".join(str(wait / SCALE) for wait in (5, 300, 1_800, 7_200, 18_000, 36_000))
HOUR = 3_600 / SCALE
ATTEMPT = 20.0
"""Timeout of one attempt in seconds: a delivery blocked by the hanging endpoint would take this long."""
KILLS = int(os.environ.get("ISONOMY_HERALD_KILLS", "2"))
TAKE_OVER = 60.0


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with Endpoints() as endpoints:
        yield endpoints


@pytest.fixture
def stack(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> Iterator[HeraldStack]:
    environ = {
        "ISONOMY_HERALD_RETRY_SECONDS": WAITS,
        "ISONOMY_HERALD_ATTEMPT_SECONDS": str(ATTEMPT),
        "ISONOMY_HERALD_GROUP_SECONDS": "0.5",
        "ISONOMY_REPLICATION": str(broker.replication),
    }
    stack = HeraldStack(broker.bootstrap, topic_prefix, tmp_path, environ)
    stack.create_topics()
    try:
        yield stack
    finally:
        stack.stop()


def test_two_hundred_subscribers_through_kills(
    stack: HeraldStack, endpoints: Endpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(4)
    secret = new_secret()
    good = [f"/good/{number}" for number in range(SUBSCRIBERS - 3)]
    paths = [*good, HANGING, FAILING, GONE]
    stack.subscribe(*(make_subscription(path.strip("/"), endpoints.url(path), secret=secret) for path in paths))
    broken_until = time.time() + 1e9
    endpoints.behaviour = {
        HANGING: "hang",
        GONE: 410,
        FAILING: lambda got: 500 if got.at < broken_until else 200,
    }
    heralds = [stack.herald(f"herald-{number}") for number in range(2)]
    owner, other = heralds[0].start().wait_owner(), heralds[1]

    # Nobody waits for the three.
    slowest = []
    told = []
    for number in range(KILLS + 1):
        alert = make_alert(number)
        told.append((alert.id, "firing"))
        at = stack.tell(alert)
        if number == 0:
            broken_until = at + HOUR
        eventually(lambda: all(len(endpoints.acknowledged_of(path)) == len(told) for path in good), 20)
        slowest.append(max(endpoints.acknowledged_of(path)[-1].at - at for path in good))
    assert max(slowest) < ATTEMPT, slowest
    assert len(endpoints.of(GONE)) == 1, "disabled by its 410"

    # Killed in the middle of a burst, again and again; the last time frozen, and woken when another has taken over.
    other.start()
    kills: list[float] = []
    for number in range(KILLS + 1):
        begun, over = make_alert(100 + number), make_alert(number, Status.RESOLVED)
        told += [(begun.id, "firing"), (over.id, "resolved")]
        aim = len(endpoints.acknowledged) + rng.randrange(20, len(good))
        stack.tell(begun, over)
        reach(endpoints, aim)
        if number < KILLS:
            owner.process.kill()
            kills.append(time.time())
            other.wait_owner(TAKE_OVER)
            owner.start()
        else:
            owner.process.freeze()
            kills.append(time.time())
            other.wait_owner(TAKE_OVER)
            wait_told(endpoints, good, told)
            owner.process.thaw()
        owner, other = other, owner

    wait_told(endpoints, good, told)
    # The one that failed for an hour has got everything since, in the order of each alert.
    eventually(lambda: set(alerts_of(endpoints.acknowledged_of(FAILING))) >= set(told), 60)
    last = make_alert(999)
    stack.tell(last)
    told.append((last.id, "firing"))
    wait_told(endpoints, good, told)
    eventually(lambda: settled(stack, "failing"), 30)

    twice = repeated(stack, endpoints)
    received = endpoints.received
    for got in received:
        Webhook(secret).verify(got.body, dict(got.headers))
    deliveries = stack.deliveries().values()
    assert {each.state for each in deliveries if each.subscription.startswith("good")} == {State.DELIVERED}
    gone = {each.status: each for each in deliveries if each.subscription == "gone"}
    assert gone[Status.FIRING].state is State.DEAD
    assert gone[Status.FIRING].answer is not None
    assert gone[Status.FIRING].answer.outcome is Outcome.GONE
    assert gone[Status.RESOLVED].state is State.SKIPPED
    assert len(gone) == 2
    assert all(
        each.state in (State.PENDING, State.WAITING, State.DEAD) for each in deliveries if "hang" in each.subscription
    )
    for herald in heralds:
        if herald.process.alive:
            herald.process.terminate(20)
            assert herald.process.poll() == 0
    with capsys.disabled():
        print(
            f"\n  {SUBSCRIBERS} subscribers, {len(told)} statements each, {len(kills) - 1} kills and a freeze: "
            f"slowest of the good ones {min(slowest):.2f} s (worst of three rounds {max(slowest):.2f} s), "
            f"{len(received)} requests, all signatures verify, "
            f"{twice} repeated whose record was cut off",
            file=sys.stderr,
        )


def reach(endpoints: Endpoints, acknowledged: int) -> None:
    """Wait until the endpoints have acknowledged this many requests; the caller kills right after."""
    eventually(lambda: len(endpoints.acknowledged) >= acknowledged, 20, every=0.001)


def alerts_of(requests: list[Received]) -> list[tuple[str, str]]:
    return [alert for got in requests for alert in got.alerts]


def wait_told(endpoints: Endpoints, paths: list[str], told: list[tuple[str, str]]) -> None:
    """Wait until every path has acknowledged all published alerts."""

    def all_told() -> bool:
        got: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for each in list(endpoints.acknowledged):
            got[each.path].update(each.alerts)
        return all(got[path] >= set(told) for path in paths)

    eventually(all_told, 60, every=0.1)


def settled(stack: HeraldStack, subscription: str) -> bool:
    mine = [each for each in stack.deliveries().values() if each.subscription == subscription]
    return all(each.state is State.DELIVERED for each in mine)


def repeated(stack: HeraldStack, endpoints: Endpoints) -> int:
    """Count the repeats; asserts that each is of the allowed kind."""
    claims: list[tuple[int, float]] = []
    recorded: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
    for place, (_, record) in enumerate(stack.records()):
        if isinstance(record, Claim):
            claims.append((place, record.at))
        if isinstance(record, Delivery) and record.state is State.DELIVERED and record.answer is not None:
            recorded[record.subscription, record.alert, record.status.value].append((place, record.answer.at))
    times: dict[tuple[str, str, str], list[Received]] = defaultdict(list)
    for got in endpoints.acknowledged:
        for alert, status in got.alerts:
            times[got.path.strip("/"), alert, status].append(got)
    repeats = 0
    for what, requests in times.items():
        for first, second in pairwise(requests):
            repeats += 1
            assert first.headers["webhook-id"] == second.headers["webhook-id"], what
            # Between the two another term started: after a kill, or because of a rebalance, as happens when the frozen
            # herald wakes. The previous owner's request may be acknowledged after the claim; the next owner waits.
            between = [at for _, at in claims if first.at <= at <= second.at or first.at < at + LEASE <= second.at]
            assert between, f"{what} was acknowledged at {first.at} and {second.at} in one term: {claims}"
            # An answer's time is the start of its attempt. A frozen herald that wakes writes its record after the claim
            # of the herald that sent again; before that claim there must be no record.
            claimed = max(place for place, at in claims if at <= second.at)
            early = [place for place, at in recorded[what] if at <= first.at and place < claimed]
            assert not early, f"{what} was recorded, and sent again all the same"
    return repeats
