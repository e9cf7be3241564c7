"""The bearer gate: whose request it is, or a 401 with its challenge."""

from pathlib import Path

import pytest
from starlette.requests import Request

from services.http.api_keys import CHECK_SECONDS, new_key
from services.http.bearer import BearerGate, check_rate
from services.http.errors import Refused


def request(authorization: str | None = None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [(None, "Bearer"), ("", 'Bearer error="invalid_token"'), ("Bearer no", 'Bearer error="invalid_token"')],
)
def test_a_request_without_a_known_key_is_challenged(tmp_path: Path, authorization: str | None, challenge: str) -> None:
    secret, line = new_key("ada", "*")
    (tmp_path / "keys").write_text(f"{line}\n")
    for path in (tmp_path / "keys", None):
        gate = BearerGate(path, lambda names: None)
        with pytest.raises(Refused) as refused:
            gate.enter(request(authorization), 0.0)
        assert (refused.value.status, refused.value.headers) == (401, {"WWW-Authenticate": challenge})
    assert BearerGate(tmp_path / "keys", lambda names: None).enter(request(f"Bearer {secret}"), 0.0).name == "ada"


def test_names_are_kept_each_time_the_file_was_read_anew_and_before_a_key_that_is_gone_is_refused(
    tmp_path: Path,
) -> None:
    secret, line = new_key("ada", "*")
    other, other_line = new_key("bob", "*")
    (tmp_path / "keys").write_text(f"{line}\n")
    kept: list[frozenset[str]] = []
    gate = BearerGate(tmp_path / "keys", kept.append)
    gate.enter(request(f"Bearer {secret}"), 0.0)
    assert kept == []
    (tmp_path / "keys").write_text(f"{other_line}\n# and no other\n")
    with pytest.raises(Refused):
        gate.enter(request(f"Bearer {secret}"), CHECK_SECONDS)
    assert kept == [frozenset({"bob"})]
    assert gate.enter(request(f"bearer {other}"), 2 * CHECK_SECONDS).name == "bob"
    assert kept == [frozenset({"bob"})]


def test_what_has_to_wait_is_told_how_long() -> None:
    check_rate(0.0, "too many requests")
    with pytest.raises(Refused) as refused:
        check_rate(1.26, "too many requests")
    assert refused.value.detail == "too many requests: wait 1.3 s"
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "2"})
