"""Consent of an e-mail's recipient: what the fold makes of it, which links open, and how often anybody is asked."""

import asyncio
import json

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from services.herald.api.consent import NO_LINK, Asking, Confirm
from services.herald.api.drafts import Changes, ChannelDraft, MatchDraft, change, make, read_changes, read_draft
from services.herald.api.store import SubscriptionStore
from services.herald.channels.dialects import BREAK, dialect_of
from services.herald.rules.consent import (
    DAY,
    LINK_SECONDS,
    WAITS,
    Bounds,
    asking,
    confirmation_message,
    confirmed,
    mailbox,
    opens,
    overdrawn,
    withdrawn,
)
from services.herald.rules.dedup import AlertDedup
from services.herald.rules.delivery_state import Book
from services.herald.rules.outcome import forgettable
from services.http.api_keys import Key
from services.http.errors import Refusal, Refused
from streams.contracts.alert import Status
from streams.contracts.delivery import Asked, Blocked, Outcome, decode_record, encode_record, record_key
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import BoardSettings, SubscriptionSettings
from streams.contracts.settings import Settings
from streams.contracts.subscription import Activity, ChannelType, decode_subscription, encode_subscription
from tests.support.herald import make_alert, make_subscription
from tests.support.hostile_names import HOSTILE
from tests.unit.herald.making import PaperHerald

ADA = Key("ada", None)
ONE, TWO = make_alert(1), make_alert(2)


def asked_for(now=0.0, url="mailto:eve@example.org", **more):
    body = {"name": "mine", "channel": {"type": "apprise", "url": url}, **more}
    return asking(make(read_draft(json.dumps(body).encode()), ADA, "s", "whsec_x", now), "token", now)


def changed(before, now=1.0, **changes):
    return change(before, Changes(**changes), ADA, "whsec_x", now, marked=False)


def store_of(*subscriptions):
    """A store as if Kafka had been read and held these."""
    store = SubscriptionStore(Settings().kafka)
    store._complete = True
    for each in subscriptions:
        store.book().take_subscription(each.id, each)
    return store


# --- the fold --------------------------------------------------------------------------------------------------------


def test_an_unconfirmed_subscription_is_owed_nothing_and_begins_when_it_is_confirmed():
    herald = PaperHerald()
    unconfirmed = asked_for(herald.now)
    herald.subscribe(unconfirmed)
    found = herald.book.subscription("s")
    assert (found.status, found.reason, herald.book.is_active("s")) == (Activity.UNCONFIRMED, WAITS, False)
    herald.tell(ONE)
    herald.tell(TWO)
    herald.tell(make_alert(2, Status.RESOLVED))
    herald.run()
    assert (herald.told(), herald.book.deliveries) == ([], {})

    herald.now += 10
    herald.subscriptions = [confirmed(unconfirmed, herald.now)]
    herald.start()  # a herald that takes over, and reads what was told before it was confirmed
    herald.run()
    assert herald.told() == [[(ONE.id, "firing")]]
    herald.subscribe(withdrawn(herald.subscriptions[-1], herald.now))
    herald.tell(make_alert(3))
    herald.run()
    assert herald.told() == [[(ONE.id, "firing")]]


def test_what_was_owed_to_the_address_before_is_held_until_the_new_one_is_confirmed():
    herald = PaperHerald()
    before = confirmed(asked_for(herald.now), herald.now)
    herald.subscribe(before)
    herald.tell(ONE)
    herald.run(Outcome.TIMEOUT)
    channel = ChannelDraft(type=ChannelType.APPRISE, url="mailto:mal@example.org")
    moved = asking(changed(before, herald.now, channel=channel), "another", herald.now)
    herald.subscribe(moved)
    herald.run(Outcome.DELIVERED, 600.0)
    assert herald.told() == []
    herald.subscribe(confirmed(moved, herald.now))
    herald.run(Outcome.DELIVERED, 600.0)
    assert herald.told() == [[(ONE.id, "firing")]]


@pytest.mark.parametrize("status", [Activity.ACTIVE, Activity.UNCONFIRMED])
def test_either_the_word_or_the_missing_consent_is_enough_to_hear_nothing(status):
    book, subscription = Book(), asked_for()
    consent = subscription.consent if status is Activity.ACTIVE else None
    book.take_subscription("s", msgspec.structs.replace(subscription, status=status, consent=consent))
    assert not book.is_active("s")


def test_a_record_from_before_is_read_as_confirmed_and_a_reader_from_before_reads_no_unconfirmed_one():
    subscription = confirmed(asked_for(), 1.0)
    older = encode_subscription(msgspec.structs.replace(subscription, consent=None))
    assert b"consent" not in older
    book = Book()
    book.take_subscription("s", decode_subscription(older))
    assert book.is_active("s")
    assert decode_subscription(encode_subscription(asked_for())) == asked_for()

    status = msgspec.defstruct("Before", [("id", str), ("status", msgspec.Raw, msgspec.Raw(b'"active"'))])
    said = [msgspec.json.decode(encode_subscription(each), type=status).status for each in (asked_for(), subscription)]
    assert [bytes(each) for each in said] == [b'"unconfirmed"', b'"active"'], "such a reader knows only the second word"


def test_a_token_is_not_in_the_record_and_not_in_what_is_printed_of_it():
    record = asking(asked_for(), "a-token-of-some-length", 5.0)
    assert b"a-token" not in encode_subscription(record)
    assert record.consent.token not in repr(record)


# --- what an owner may change ----------------------------------------------------------------------------------------


def test_consent_is_to_an_address_and_lives_through_every_other_change():
    agreed = confirmed(asked_for(), 1.0)
    channel = ChannelDraft(type=ChannelType.APPRISE, url="mailto:eve@example.org")
    for changes in ({"name": "x"}, {"match": MatchDraft(arena="text")}, {"status": "disabled"}, {"channel": channel}):
        assert changed(agreed, **changes).consent == agreed.consent
    again = changed(changed(agreed, status="disabled"), status="active")
    assert (again.status, again.is_unconfirmed) == (Activity.ACTIVE, False)
    moved = ChannelDraft(type=ChannelType.APPRISE, url="mailto:mal@example.org")
    assert changed(agreed, channel=moved).consent is None, "the routes ask before they write it"


def test_what_waited_for_a_recipient_and_goes_where_nobody_has_to_agree_begins_then():
    hook = ChannelDraft(type=ChannelType.WEBHOOK, url="https://hooks.example.com/")
    moved = changed(asked_for(1.0), 50.0, channel=hook)
    assert (moved.status, moved.consent, moved.began) == (Activity.ACTIVE, None, 50.0)


def test_no_word_of_the_owner_confirms():
    waiting = asked_for()
    for status in ("active", "disabled"):
        after = changed(changed(waiting, status=status), status="active")
        assert (after.status, after.is_unconfirmed) == (Activity.UNCONFIRMED, True)
    assert changed(waiting, status="disabled").status is Activity.DISABLED
    assert confirmed(changed(waiting, status="disabled"), 2.0).status is Activity.DISABLED
    for read, body in ((read_changes, {}), (read_draft, {"name": "x", "channel": {"type": "apprise", "url": "x"}})):
        for more in ({"status": "unconfirmed"}, {"consent": None}):
            with pytest.raises(Refused):
                read(json.dumps({**body, **more}).encode())


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_opens_its_own_subscription_until_it_is_old_replaced_or_used_up():
    waiting = asked_for(100.0)
    assert opens(waiting, "token", 100.0 + LINK_SECONDS)
    assert not opens(waiting, "token", 101.0 + LINK_SECONDS)
    assert not opens(asking(waiting, "newer", 101.0), "token", 101.0)
    agreed = confirmed(waiting, 200.0)
    assert opens(agreed, "token", 100.0 + 50 * LINK_SECONDS), "it can take back what it gave, at any time"
    assert not opens(withdrawn(agreed, 300.0), "token", 300.0)
    webhook = make(
        read_draft(b'{"name":"x","channel":{"type":"webhook","url":"https://a.example"}}'), ADA, "w", "s", 1.0
    )
    for subscription in (None, waiting, agreed, withdrawn(agreed, 300.0), webhook):
        for guess in ("", "x", "é", "tokeN"):
            assert not opens(subscription, guess, 100.0)


@pytest.mark.parametrize("name", ["s", "nobody"])
async def test_a_link_that_opens_nothing_leads_to_a_page_that_says_so_whether_its_subscription_exists(name):
    store = store_of(asked_for())
    app = Starlette(routes=[Route("/{id}/confirm", Confirm(Metrics(), store, asyncio.Lock()).__call__)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board") as client:
        answer = await client.get(f"/{name}/confirm?token=guessed")
    assert answer.status_code == 404
    title, text = NO_LINK
    assert f"<h1>{title}</h1><p>{text}</p></main>" in answer.text


def test_the_question_holds_no_word_of_a_stranger_that_a_program_would_act_on():
    literal = dialect_of("mailto").literal
    for name in [*HOSTILE, "www.evil.example/prize", "call ada@evil.example", "x" * 128]:
        subscription = asked_for(match={"models": [name[:128] or "x"], "arena": "text"})
        subscription = msgspec.structs.replace(subscription, name=name)
        title, text = confirmation_message(subscription, "https://board.example/x", "https://board.example", literal)
        ours = text.replace("https://board.example", "")
        assert "://" not in ours, name
        assert ".example" not in ours, name
        assert not [word for word in ours.split() if "@" in word.rstrip(BREAK)[:-1] and f"@{BREAK}" not in word], name
        assert len(text) < 1_000, name
        assert "1 named models" in text
        assert title.isprintable()


# --- how often -------------------------------------------------------------------------------------------------------

BOUNDS = Bounds(key=4, mailbox=3)


def ask(number, owner="ada", address="eve@example.org", at=1_000.0):
    return Asked(id=str(number), mailbox=mailbox(address), owner=owner, at=at)


def test_a_mailbox_is_asked_so_often_a_day_by_all_and_by_one_key_one_time_less():
    assert overdrawn([ask(1)], ask(2), BOUNDS) is None
    assert overdrawn([ask(1), ask(2)], ask(3), BOUNDS)[1] == DAY
    assert overdrawn([ask(1), ask(2)], ask(3, "ben"), BOUNDS) is None
    assert overdrawn([ask(1), ask(2), ask(3, "ben")], ask(4, "cleo"), BOUNDS) is not None
    assert overdrawn([ask(1), ask(2), ask(3, "ben")], ask(4, "cleo", "other@example.org"), BOUNDS) is None
    assert overdrawn([ask(1), ask(2, at=900.0)], ask(3, at=900.0 + DAY), BOUNDS) is None, "a day later it is forgotten"
    assert overdrawn([], ask(1), Bounds(key=1, mailbox=1)) is None
    assert overdrawn([], ask(1), Bounds(key=0, mailbox=3)) == overdrawn([], ask(1), Bounds(key=0, mailbox=0))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.floats(0, 3 * DAY)), max_size=60))
def test_whatever_was_written_those_that_are_sent_keep_within_the_bounds(given_asks):
    """Each process decides on a request by the requests before it in the topic, unsent ones included."""
    asks = [ask(number, owner, f"{box}@example.org", at) for number, (owner, box, at) in enumerate(given_asks)]
    sent = [each for each in asks if overdrawn(asks, each, BOUNDS) is None]
    for last in sent:
        before = [each for each in sent if int(each.id) <= int(last.id) and each.at > last.at - DAY]
        assert sum(each.owner == last.owner for each in before) <= BOUNDS.key
        assert sum(each.mailbox == last.mailbox for each in before) <= BOUNDS.mailbox


@pytest.mark.parametrize("same", ["EVE@example.org", "eve+1@example.org", "Eve+a+b@EXAMPLE.org"])
def test_one_mailbox_is_one_however_its_address_is_written(same):
    assert mailbox(same) == mailbox("eve@example.org")
    assert mailbox("e.ve@example.org") != mailbox("eve@example.org")
    assert mailbox("+@example.org") != mailbox("eve@example.org")


def test_questions_outlive_their_subscription_and_go_after_a_day():
    herald = PaperHerald()
    first, second = ask(1, at=herald.now - DAY - 1), ask(2, at=herald.now)
    herald.write(first, second)
    assert decode_record(encode_record(first)) == first
    herald.book.take(record_key(second), second, 1)  # read once more: its place is the same
    assert list(herald.book.asked) == ["1", "2"]
    gone = forgettable(herald.book, AlertDedup(), herald.now, 30 * DAY, 100)
    assert gone == ["asked/1"]
    herald.book.take("asked/1", None, 2)
    assert list(herald.book.asked) == ["2"]


def asking_of(store, monkeypatch, most=2):
    """Requests that are in the topic as soon as they are written."""

    async def at_once(asked):
        store.book().take(record_key(asked), asked, len(store.book().asked))

    monkeypatch.setattr(store, "ask", at_once)
    board, limits = BoardSettings(public_url="https://board.example"), SubscriptionSettings(key_emails=most)
    return Asking(Settings(board=board, subscriptions=limits), Metrics(), store, None)


async def test_nobody_is_asked_about_a_subscription_that_the_operator_has_disabled(monkeypatch):
    store = store_of(asked_for())
    asking = asking_of(store, monkeypatch)
    store.book().take("blocked/s", Blocked(subscription="s", reason="spam", at=1.0), 0)
    with pytest.raises(Refused, match="disabled by the operator: spam") as refused:
        await asking.ask(asked_for(), "eve@example.org", 2.0)
    assert refused.value.reason is Refusal.FORBIDDEN
    assert store.book().asked == {}
    store.book().take("blocked/s", None, 1)
    subscription, link = await asking.ask(asked_for(), "eve@example.org", 2.0)
    assert link.startswith("https://board.example/v1/subscriptions/s/confirm?token=")
    assert opens(subscription, link.partition("=")[2], 2.0)
    assert len(store.book().asked) == 1


async def test_a_key_s_e_mail_subscriptions_are_limited_and_its_others_do_not_count(monkeypatch):
    def held(name, url, kind=ChannelType.APPRISE, owner="ada"):
        return msgspec.structs.replace(make_subscription(name, url, kind), owner=owner)

    others = [
        held("slack", "slack://a/b/c"),
        held("gchat", "gchat://a/b/c"),
        held("hook", "https://hooks.example.com/", ChannelType.WEBHOOK),
        held("of another key", "mailto:eve@example.org", owner="ben"),
        held("s", "mailto:before@example.org"),
        held("first", "mailto:eve@example.org"),
    ]
    store = store_of(*others)
    asking = asking_of(store, monkeypatch)
    await asking.ask(asked_for(), "eve@example.org", 2.0)
    store.book().take_subscription("second", held("second", "MAILTO:eve@example.org"))
    with pytest.raises(Refused, match="has 2 e-mail subscriptions") as refused:
        await asking.ask(asked_for(), "eve@example.org", 2.0)
    assert refused.value.reason is Refusal.TOO_MANY_SUBSCRIPTIONS
