"""Signatures are those of the Standard Webhooks convention: its own vector and its own library say so."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from services.herald.channels.signing import InvalidSecret, new_secret, read_secret, sign, signed_headers
from streams.contracts.subscription import Secret

VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def now() -> float:
    """When asked, for the library takes no signature that is older than five minutes."""
    return datetime.now(UTC).timestamp()


def test_the_published_vector() -> None:
    key = read_secret(VECTOR_SECRET)
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_verifies_what_we_sign() -> None:
    secret, body = new_secret(), '{"summary":"Größe"}'.encode()
    headers = signed_headers([Secret(secret)], "msg_1", now(), body)
    assert Webhook(secret).verify(body, headers) == {"summary": "Größe"}


def test_another_body_does_not_verify() -> None:
    secret = new_secret()
    headers = signed_headers([Secret(secret)], "msg_1", now(), b"{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b"[]", headers)


def test_while_a_secret_is_replaced_both_verify() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers([Secret(new), Secret(old, until=now() + 1)], "msg_1", now(), b"{}")
    assert Webhook(old).verify(b"{}", headers) == Webhook(new).verify(b"{}", headers) == {}


def test_an_old_secret_signs_no_more_after_its_time() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers([Secret(new), Secret(old, until=now() - 1)], "msg_1", now(), b"{}")
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(b"{}", headers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_not base64",
        "whsec_ä" + base64.b64encode(b"x" * 32).decode(),
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        base64.b64encode(b"x" * 32).decode(),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidSecret) as refused:
        read_secret(text)
    assert not text or text not in str(refused.value)


def test_a_secret_is_in_no_log() -> None:
    assert "MfKQ" not in repr(Secret(VECTOR_SECRET))
