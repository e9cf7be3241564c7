"""A subscription gets alerts from its `since` on: an edit loses none, and a new start sends no past ones."""

import json

import msgspec
import pytest

from services.herald.api.drafts import Changes, MatchDraft, change, make, read_draft, rotate
from services.herald.channels.signing import new_secret
from services.http.api_keys import Key
from services.http.errors import Refusal, Refused
from streams.contracts.alert import Status
from streams.contracts.delivery import Outcome
from streams.contracts.subscription import Activity, decode_subscription, encode_subscription
from tests.support.herald import make_alert
from tests.unit.herald.making import PaperHerald

ADA = Key("ada", None)
WEBHOOK = {"name": "mine", "channel": {"type": "webhook", "url": "https://hooks.example.com/"}}
FIRING, RESOLVED = make_alert(1), make_alert(1, Status.RESOLVED)
TOLD = [[(FIRING.id, "firing")], [(FIRING.id, "resolved")]]


def made(now, **more):
    return make(read_draft(json.dumps({**WEBHOOK, **more}).encode()), ADA, "s", new_secret(), now)


def changed(before, now, *, marked=False, **changes):
    return change(before, Changes(**changes), ADA, new_secret(), now, marked=marked)


TOUCHES = {
    "a new secret": lambda before, now: rotate(before, new_secret(), now, marked=False),
    "another name": lambda before, now: changed(before, now, name="other"),
    "the same again, whole": lambda before, now: changed(
        before, now, name=before.name, match=MatchDraft(), status=Activity.ACTIVE
    ),
}
BEGINS = {
    "another match": lambda before, now: changed(before, now, match=MatchDraft(arena="text")),
    "made active": lambda before, now: changed(
        changed(before, now - 1, status=Activity.DISABLED), now, status=Activity.ACTIVE
    ),
    "a change after a 410": lambda before, now: changed(before, now, name="other", marked=True),
    "a new secret after a 410": lambda before, now: rotate(before, new_secret(), now, marked=True),
}


def told_after(touch, *, told_before, since=True):
    """The deliveries of an alert that fired and ended while no herald ran, when its subscription was edited then."""
    herald = PaperHerald()
    subscription = made(herald.now)
    if not since:
        subscription = msgspec.structs.replace(subscription, since=None)
    herald.now += 100
    touched = touch(subscription, herald.now)
    at = herald.now - 50 if told_before else herald.now + 50
    herald.alerts += [(at, FIRING), (at + 5, RESOLVED)]
    herald.subscriptions = [touched]
    herald.now += 100
    herald.start()
    herald.run()
    return herald.told()


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
@pytest.mark.parametrize("since", [True, False], ids=["", "of a record without the field"])
def test_what_ended_while_no_herald_ran_is_told_though_the_subscription_was_touched_since(touch, since):
    assert told_after(touch, told_before=True, since=since) == TOLD


@pytest.mark.parametrize("touch", BEGINS.values(), ids=BEGINS)
def test_what_ended_before_a_subscription_began_anew_is_not_told(touch):
    assert told_after(touch, told_before=True) == []
    assert told_after(touch, told_before=False) == TOLD


def test_what_was_not_owed_while_a_410_held_is_not_told_at_a_later_take_over():
    herald = PaperHerald()
    subscription = made(herald.now)
    herald.subscriptions = [subscription]
    herald.start()
    herald.tell(make_alert(2))
    herald.run(Outcome.GONE)
    herald.tell(FIRING)
    herald.tell(RESOLVED)
    herald.now += 10
    assert herald.book.is_marked("s")
    again = changed(subscription, herald.now, name="again", marked=herald.book.is_marked("s"))
    herald.subscriptions = [again]
    herald.start()
    herald.run()
    assert herald.told() == []


def test_a_record_without_the_field_owes_since_its_last_change_and_is_read_as_before():
    subscription = made(5.0)
    older = msgspec.structs.replace(subscription, since=None, updated_at=7.0)
    assert b'"since"' not in encode_subscription(older)
    assert decode_subscription(encode_subscription(older)).began == 7.0
    assert decode_subscription(encode_subscription(subscription)).began == 5.0


def test_a_reader_that_does_not_know_the_field_reads_on():
    before = msgspec.defstruct("Before", [("id", str), ("match", dict), ("channel", dict), ("updated_at", float)])
    assert msgspec.json.decode(encode_subscription(made(5.0)), type=before).updated_at == 5.0


def test_what_is_not_signed_has_no_secret_to_change():
    before = made(1.0, channel={"type": "alertmanager", "url": "https://alerts.example.com"})
    with pytest.raises(Refused) as refused:
        rotate(before, new_secret(), 2.0, marked=False)
    assert (refused.value.reason, refused.value.status) == (Refusal.NOT_SIGNED, 409)


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_every_change_is_the_next_revision(touch):
    """A writer waits until it reads its own revision, and a 410 disables one revision only."""
    before = msgspec.structs.replace(made(1.0), revision=7)
    assert touch(before, 2.0).revision == 8
