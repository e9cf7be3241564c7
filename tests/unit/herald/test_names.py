"""Names in a subscription's match: in their normal form from the door on, as votes and model records have them."""

import json
from typing import Any

import msgspec
import pytest

from services.herald.api.drafts import Changes, change, make, read_changes, read_draft
from services.herald.api.views import show_subscription
from services.http.api_keys import Key
from services.http.errors import Refused
from streams.contracts.subscription import Match, Subscription, decode_subscription, encode_subscription
from tests.support.herald import make_subscription
from tests.support.hostile_names import REFUSED

ADA = Key("ada", None)
WEBHOOK = {"name": "mine", "channel": {"type": "webhook", "url": "https://hooks.example.com/"}}
WRITTEN = ["cafe\u0301 9b", "ash\u200b-2", " birch  3 ", "\ufeffbirch 3"]
NORMAL = ("caf\u00e9 9b", "ash-2", "birch 3")


def made(now: float = 1.0, **match: Any) -> Subscription:
    draft = read_draft(json.dumps({**WEBHOOK, "match": match}).encode())
    return make(draft, ADA, "s", "whsec_" + "x" * 32, now)


@pytest.mark.parametrize("field", ["models", "providers"])
def test_names_are_stored_and_shown_in_their_normal_form(field: str) -> None:
    subscription = made(1.0, **{field: WRITTEN})
    assert getattr(subscription.match, field) == NORMAL
    assert getattr(show_subscription(subscription).match, field) == NORMAL
    assert decode_subscription(encode_subscription(subscription)) == subscription


def test_a_change_stores_them_so_too() -> None:
    changes = read_changes(json.dumps({"match": {"models": WRITTEN}}).encode())
    assert change(made(), changes, ADA, "whsec_", 2.0, marked=False).match.models == NORMAL


@pytest.mark.parametrize("name", [*REFUSED, " \u200b", "x" * 129])
def test_a_name_that_no_vote_can_have_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        made(providers=[name])
    assert refused.value.status == 422
    assert "provider" in refused.value.detail


def test_an_older_record_is_read_and_the_same_match_again_is_no_new_one() -> None:
    older = make_subscription("s", "https://hooks.example.com/", models=tuple(WRITTEN))
    older = decode_subscription(encode_subscription(msgspec.structs.replace(older, since=5.0)))
    assert older.match == Match(models=tuple(WRITTEN))
    again = read_changes(json.dumps({"match": {"models": WRITTEN}}).encode())
    assert change(older, again, ADA, "whsec_", 9.0, marked=False).began == 5.0
    other = read_changes(json.dumps({"match": {"models": WRITTEN[:1]}}).encode())
    assert change(older, other, ADA, "whsec_", 9.0, marked=False).began == 9.0
    assert change(older, Changes(name="other"), ADA, "whsec_", 9.0, marked=False).match == older.match
