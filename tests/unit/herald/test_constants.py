"""The constants of delivery: what a recipient gets, how often, and how long a leader may act, as literals."""

import base64
import importlib

import msgspec
import pytest

from services.herald.channels.signing import InvalidSecret, read_secret
from services.herald.channels.ssrf_guard import _BAD_PORTS, RefusedAddress, read_url
from services.herald.rules.consent import mailbox
from services.herald.rules.dedup import AlertDedup, News
from services.herald.rules.delivery_state import _ORDER
from services.herald.rules.payload import timestamp
from streams.contracts.alert import Status
from streams.contracts.delivery import State
from tests.unit.herald.making import make_alert

CONSTANTS = {
    "api.consent": {"FORM_LIMIT": 1_024},
    "api.drafts": {"OVERLAP_SECONDS": 86_400.0, "MOST_HEADERS": 10},
    "api.routes": {
        "BODY_LIMIT": 65_536,
        "MOST_SHOWN": 1_000,
        "SHOWN": 100,
        "CALLS_PER_SECOND": 20.0,
        "CALLS_AT_ONCE": 100.0,
        "TESTS_PER_SECOND": 1 / 6,
        "TESTS_AT_ONCE": 5.0,
    },
    "api.store": {"AGAIN_SECONDS": 1.0, "RETRY_SECONDS": 2.0, "SEEN_SECONDS": 2.0, "WAIT_MS": 100},
    "app": {"RETRY_SECONDS": 2.0, "GRACE": 5},
    "channels.apprise_send": {"PIECES": 8},
    "channels.dispatch": {"AHEAD": 4},
    "channels.http_client": {"READ_BYTES": 512, "READ_SECONDS": 1.0},
    "channels.signing": {"LEAST_BYTES": 24, "MOST_BYTES": 64},
    "channels.ssrf_guard": {"MOST_BYTES": 2_048},
    "delivery_log": {"AGAIN_SECONDS": 0.5},
    "dispatcher": {
        "DAY": 86_400.0,
        "SHOW_SECONDS": 1.0,
        "CHECK_SECONDS": 1.0,
        "FORGET_SECONDS": 60.0,
        "FORGET_AT_ONCE": 1_000,
        "GRACE_SECONDS": 4.0,
    },
    "inbox": {"WAIT_MS": 20},
    "leader_election": {"AGAIN_SECONDS": 1.0, "POLL_MS": 200},
    "lease": {"LEASE": 2.0, "CONFIRM_SECONDS": 0.4},
    "rules.backoff": {"JITTER": 0.2, "LONGEST_RETRY_AFTER": 86_400.0},
    "rules.consent": {"DAY": 86_400.0, "LINK_SECONDS": 604_800.0, "MOST_NAME": 60},
    "rules.dedup": {"REMEMBERED": 16},
    "rules.payload": {"MOST_TITLE": 120, "MOST_TITLE_BYTES": 240},
    "rules.unknown": {"MOST_TOLD": 5},
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_the_constants_of_delivery_are_these(name):
    module = importlib.import_module(f"services.herald.{name}")
    assert {constant: getattr(module, constant) for constant in CONSTANTS[name]} == CONSTANTS[name]


def test_a_test_message_may_be_sent_every_six_seconds():
    from services.herald.api.routes import TESTS_PER_SECOND

    assert pytest.approx(6.0) == 1 / TESTS_PER_SECOND


def test_sixteen_resolved_alerts_of_a_fingerprint_are_remembered():
    known = AlertDedup()
    first = make_alert(1)
    alerts = [msgspec.structs.replace(first, id=f"{first.fingerprint}-{n}", detected_at=1.0 + n) for n in range(17)]

    def resolve(alert):
        return known.tell(msgspec.structs.replace(alert, status=Status.RESOLVED))

    for alert in alerts[:16]:
        assert [known.tell(alert), resolve(alert)] == [News.NEW, News.RESOLVED]
    again = msgspec.structs.replace(alerts[0], detected_at=100.0)
    assert known.tell(again) is News.STALE, "the oldest of sixteen is still known"
    resolve(alerts[16])
    assert known.tell(again) is News.NEW, "the seventeenth takes its place"


@pytest.mark.parametrize(("size", "accepted"), [(23, False), (24, True), (64, True), (65, False)])
def test_a_secret_is_of_24_to_64_bytes(size, accepted):
    text = "whsec_" + base64.b64encode(b"x" * size).decode()
    if accepted:
        assert read_secret(text) == b"x" * size
    else:
        with pytest.raises(InvalidSecret, match="24 to 64 bytes"):
            read_secret(text)


PORTS = (
    *(2049, 2181, 3306, 3659, 4045, 5060, 5061, 5432, 6000, 6379, 6566, 6667, 6697, 8500, 9092, 9200),
    *(10080, 10250, 11211, 15672, 27017),
)


def test_exactly_these_ports_above_1023_are_not_delivered_to():
    def refused(port):
        try:
            read_url(f"https://example.com:{port}/", allow_private=False)
        except RefusedAddress:
            return True
        return False

    assert tuple(port for port in range(1_024, 65_536) if port in _BAD_PORTS) == PORTS
    looked_at = (80, 443, 1_023, 1_024, 2_049, 2_050, 27_017)
    assert [port for port in looked_at if refused(port)] == [1_023, 2_049, 27_017]


@pytest.mark.parametrize(("size", "accepted"), [(2_047, True), (2_048, True), (2_049, False)])
def test_a_url_is_of_2048_bytes_at_most(size, accepted):
    text = "https://example.com/".ljust(size, "x")
    if accepted:
        assert str(read_url(text, allow_private=False)) == text
    else:
        with pytest.raises(RefusedAddress, match="longer than 2048 bytes"):
            read_url(text, allow_private=False)


def test_a_delivery_that_waits_is_behind_one_that_is_pending_and_that_behind_a_settled_one():
    order = [[State.WAITING], [State.PENDING], [State.SKIPPED, State.DEAD], [State.DELIVERED]]
    assert [{_ORDER[state] for state in states} for states in order] == [{0}, {1}, {2}, {3}]


def test_a_plus_at_the_beginning_belongs_to_the_name_of_a_mailbox():
    assert mailbox("+ada@example.org") != mailbox("+bob@example.org")
    assert mailbox("ada+x@example.org") == mailbox("ada@example.org") != mailbox("bob@example.org")


def test_a_time_beyond_the_year_9999_is_its_last_second():
    assert timestamp(1e300) == "9999-12-31T23:59:59.000Z"
