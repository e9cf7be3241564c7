"""Why a whole request is refused: one closed set for HTTP answers and metric labels."""

from __future__ import annotations

from enum import StrEnum

from streams.contracts.reasons import Reason


class Refusal(StrEnum):
    """A named reason for refusing a request; what is wrong with one record is a `Reason`."""

    UNAUTHORIZED = "unauthorized"
    """No bearer key, or one that is not known."""
    FORBIDDEN = "forbidden"
    """The key may not write to this arena."""
    NOT_FOUND = "not_found"
    """No such route, or nothing of that name."""
    INVALID_QUERY = "invalid_query"
    """There is no such parameter of the query, or it has a value that it cannot have."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    """The route does not answer to this method."""
    BODY_TIMEOUT = "body_timeout"
    """The body did not arrive in time."""
    BODY_TOO_LARGE = "body_too_large"
    """The body, as sent or unpacked, is larger than the limit."""
    TOO_MANY_VOTES = "too_many_votes"
    """The body has more items than one request may have."""
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    """The Content-Encoding is not supported."""
    INVALID_ENCODING = "invalid_encoding"
    """The body is not what its Content-Encoding says."""
    RATE_LIMITED = "rate_limited"
    """The key has sent more votes, or asked for more, than it may."""
    KEY_QUARANTINED = "key_quarantined"
    """Almost everything that the key sent was refused for what it holds."""
    TOO_MANY_MODELS = "too_many_models"
    """The key has declared or removed as many different models of this arena within a day as it may."""
    ADDRESS_REFUSED = "address_refused"
    """The URL is not one that we deliver to."""
    INVALID_SECRET = "invalid_secret"  # noqa: S105 -- a reason, not a secret
    """The signing secret cannot be used."""
    NOT_SIGNED = "not_signed"
    """The subscription's messages are not signed, so there is no secret to change."""
    TOO_MANY_SUBSCRIPTIONS = "too_many_subscriptions"
    """The key holds as many subscriptions as it may."""
    NO_CONSENT = "no_consent"
    """The recipient of the e-mail has not confirmed the subscription: nothing is sent."""
    NOTHING_TO_CONFIRM = "nothing_to_confirm"
    """The subscription waits for nobody's confirmation."""
    NOT_FAILED = "not_failed"
    """The delivery has not failed, so it is not replayed."""
    UNAVAILABLE = "unavailable"
    """What stands behind this server (Kafka, Redis) is away; nothing of the request was done."""
    UNCONFIRMED = "unconfirmed"
    """Kafka did not acknowledge all records; some or all may have been written."""
    INTERNAL = "internal"
    """A fault of the server; it is in its log."""


STATUS: dict[Refusal | Reason, int] = {
    Refusal.UNAUTHORIZED: 401,
    Refusal.FORBIDDEN: 403,
    Refusal.NOT_FOUND: 404,
    Refusal.INVALID_QUERY: 400,
    Refusal.METHOD_NOT_ALLOWED: 405,
    Refusal.BODY_TIMEOUT: 408,
    Refusal.BODY_TOO_LARGE: 413,
    Refusal.TOO_MANY_VOTES: 413,
    Refusal.UNSUPPORTED_ENCODING: 415,
    Refusal.INVALID_ENCODING: 400,
    Refusal.RATE_LIMITED: 429,
    Refusal.KEY_QUARANTINED: 429,
    Refusal.TOO_MANY_MODELS: 429,
    Refusal.ADDRESS_REFUSED: 422,
    Refusal.INVALID_SECRET: 422,
    Refusal.NOT_SIGNED: 409,
    Refusal.TOO_MANY_SUBSCRIPTIONS: 422,
    Refusal.NO_CONSENT: 409,
    Refusal.NOTHING_TO_CONFIRM: 409,
    Refusal.NOT_FAILED: 409,
    Refusal.UNAVAILABLE: 503,
    Refusal.UNCONFIRMED: 503,
    Refusal.INTERNAL: 500,
    # Errors of the whole body. A Reason that is not listed is about one readable record: 422.
    Reason.EMPTY: 400,
    Reason.INVALID_UTF8: 400,
    Reason.INVALID_JSON: 400,
    Reason.TOO_DEEP: 400,
    Reason.TOO_LARGE: 413,
    # An error of the key, not of the record.
    Reason.TOO_MANY_ARENAS: 403,
}


class Refused(Exception):  # noqa: N818 -- it says what became of the request
    """Ends a request with an error answer.

    Parameters
    ----------
    reason
        Member of either closed set; it decides the status.
    detail
        One sentence for a person.
    headers
        Headers of the answer.
    """

    def __init__(self, reason: Refusal | Reason, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.headers = headers
        self.status = STATUS.get(reason, 422)


def retry_after(seconds: float) -> dict[str, str]:
    """Header that says when to try again: whole seconds, at least one.

    >>> retry_after(0.2)
    {'Retry-After': '1'}
    """
    return {"Retry-After": str(max(1, round(seconds + 0.499)))}
