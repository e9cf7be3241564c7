import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.alert import (
    VERSION,
    Alert,
    Kind,
    Severity,
    Status,
    Subject,
    decode_alert,
    encode_alert,
    fingerprint,
    runbook_url,
)
from streams.fairness.detectors.catalog import AT_NOTICE, AT_REVIEW, AT_TICK, DETECTORS
from tests.unit.fairness.test_fold import LEDGER


def test_the_json_is_that_of_the_design() -> None:
    alert = Alert(
        id="f-1",
        fingerprint="f",
        arena="text",
        kind=Kind.SILENT_REMOVAL,
        severity=Severity.CRITICAL,
        status=Status.FIRING,
        subject=Subject(model="x"),
        starts_at=1.0,
        detected_at=2.0,
        summary="x is gone.",
        evidence={"b": 2, "a": 1.5},
        runbook_url="docs/runbooks/silent_removal.md",
        version=VERSION,
    )
    assert encode_alert(alert) == (
        b'{"id":"f-1","fingerprint":"f","arena":"text","kind":"silent_removal","severity":"critical",'
        b'"status":"firing","subject":{"model":"x"},"starts_at":1.0,"detected_at":2.0,"summary":"x is gone.",'
        b'"evidence":{"a":1.5,"b":2},"runbook_url":"docs/runbooks/silent_removal.md","version":1}'
    )
    ended = msgspec.structs.replace(alert, status=Status.RESOLVED, ends_at=3.0)
    assert b'"detected_at":2.0,"ends_at":3.0,"summary"' in encode_alert(ended)


def test_every_alert_survives_its_encoding() -> None:
    for alert in LEDGER.alerts:
        assert encode_alert(decode_alert(encode_alert(alert))) == encode_alert(alert)


names = st.text(min_size=1, max_size=20)


@given(st.sampled_from(Kind), st.sampled_from(Kind), names, names)
def test_fingerprints_differ_with_kind_field_and_name(one: Kind, other: Kind, name: str, second: str) -> None:
    assert fingerprint("a", one, Subject(model=name)) != fingerprint("a", one, Subject(provider=name))
    assert (fingerprint("a", one, Subject(model=name)) == fingerprint("a", other, Subject(model=second))) == (
        (one, name) == (other, second)
    )


def test_every_kind_has_one_detector_that_is_asked_and_a_runbook() -> None:
    assert sorted(each.kind for each in DETECTORS) == sorted(Kind)
    assert {*AT_TICK, *AT_NOTICE, *AT_REVIEW} == set(DETECTORS)
    assert all(runbook_url(kind).endswith(f"/{kind.value}.md") for kind in Kind)


@pytest.mark.parametrize("alert", LEDGER.alerts, ids=lambda alert: f"{alert.kind}-{alert.status}")
def test_a_summary_is_one_sentence_or_two_that_name_the_subject_and_a_number(alert: Alert) -> None:
    assert alert.summary.endswith(".")
    assert alert.subject.name in alert.summary
    assert any(letter.isdigit() for letter in alert.summary)
    assert "nan" not in alert.summary
