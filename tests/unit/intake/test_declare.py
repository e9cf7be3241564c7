"""Model records become notices; a record without value takes the model off the registry."""

import json
from typing import Any

from streams.contracts.reasons import Reason
from streams.intake.accept import declare
from tests.unit.intake.making import ARRIVED_MS, as_records


def model(**changes: Any) -> bytes:
    fields = {"arena": "text", "model": "x", "provider": "org", "license": "open_weight", "visibility": "public"}
    return json.dumps(fields | {"status": "active", "weight": 1, "tstamp": 5} | changes).encode()


def test_a_declared_model_is_a_notice_at_its_place() -> None:
    [notice], rejects = declare(as_records([(b"text/x", model())], partition=2, first=9))
    assert rejects == []
    assert (notice.arena, notice.name, notice.model.provider) == ("text", "x", "org")
    assert (notice.partition, notice.offset, notice.recorded) == (2, 9, ARRIVED_MS)
    assert [type(value) for value in (notice.partition, notice.offset, notice.recorded)] == [int] * 3


def test_a_tombstone_names_its_model_by_the_key() -> None:
    [notice], rejects = declare(as_records([(b"text/org/x", None)]))
    assert (notice.arena, notice.name, notice.model, rejects) == ("text", "org/x", None, [])


def test_a_name_has_its_normal_form_and_a_tombstone_means_the_key_as_it_is() -> None:
    pairs = [(b"text/x", model(model="x ", provider="\u200borg")), (b"text/x ", model(model="x ")), (b"text/x ", None)]
    notices, rejects = declare(as_records(pairs))
    assert [(each.name, each.model and each.model.provider) for each in notices] == [("x", "org"), ("x ", None)]
    assert [(reject.index, reject.reason) for reject in rejects] == [(1, Reason.KEY_MISMATCH)]


def test_what_cannot_be_used_is_refused_and_the_rest_goes_on() -> None:
    pairs = [
        (b"text/x", b""),
        (b"text/y", model()),
        (None, None),
        (b"text", None),
        (b"text/x", b"{"),
        (b"text/x", model(tstamp=ARRIVED_MS)),
        (b"text/x", model()),
        (b"text/x", b'{"x":' + b"[" * 20_000),
        (b"\xff/x", None),
    ]
    notices, rejects = declare(as_records(pairs))
    assert [notice.offset for notice in notices] == [6]
    assert [(reject.index, reject.reason) for reject in rejects] == [
        (0, Reason.EMPTY),
        (1, Reason.KEY_MISMATCH),
        (2, Reason.KEY_MISMATCH),
        (3, Reason.KEY_MISMATCH),
        (4, Reason.INVALID_JSON),
        (5, Reason.FUTURE_TSTAMP),
        (7, Reason.TOO_DEEP),
        (8, Reason.KEY_MISMATCH),
    ]
