"""Signatures of webhooks as specified by Standard Webhooks. Pure except for `new_secret`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from streams.contracts.subscription import Secret

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


class InvalidSecret(ValueError):  # noqa: N818 -- read as a sentence
    """A secret that cannot sign."""


def new_secret() -> str:
    """Make a secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secret(text: str) -> bytes:
    """Key of a secret: base64 of 24 to 64 bytes after `whsec_`. Raises `InvalidSecret`, which does not show it."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:  # binascii's own, or that of a text that is not ASCII
        raise InvalidSecret("a secret is whsec_ and base64") from None
    if not text.startswith(PREFIX) or not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise InvalidSecret(f"a secret is whsec_ and base64 of {LEAST_BYTES} to {MOST_BYTES} bytes")
    return key


def sign(key: bytes, message: str, timestamp: int, body: bytes) -> str:
    """One signature: `v1,` and base64 of HMAC-SHA256 over id, timestamp (epoch seconds) and body."""
    signed = b".".join((message.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(held: Sequence[Secret], message: str, now: float, body: bytes) -> dict[str, str]:
    """The three signature headers. Every valid secret signs, so a receiver may have the old or the new one.

    Raises
    ------
    InvalidSecret
        If a secret cannot sign.
    """
    timestamp = int(now)
    keys = [read_secret(secret.text) for secret in held if secret.until is None or secret.until > now]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(key, message, timestamp, body) for key in keys),
    }
