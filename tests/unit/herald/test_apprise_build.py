"""What Apprise makes of a URL is looked at: its own reading of the parameters counts, and no other."""

from itertools import islice
from pathlib import Path

import pytest

from services.herald.channels.apprise_send import build
from services.herald.channels.ssrf_guard import RefusedAddress
from tests.fuzz.channel_urls import CANARY, SEEDS, judge, urls, watched

SMTP = "mailto://mail.example.org?from=isonomy@example.org"
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    file = tmp_path / "canary.json"
    file.write_text(f'{{"text": "{CANARY}"}}')
    return file


@pytest.mark.parametrize("url", SEEDS)
def test_every_service_is_built_and_stays_with_its_hosts(url: str, canary: Path) -> None:
    assert judge(url, canary)


@pytest.mark.parametrize(
    "parameter",
    [
        "template=%s",
        "TEMPLATE=%s",
        "te%%6dplate=%s",
        "verify=no",
        "Verify=No",
        "%%76erify=no",
        "+X-Header=y",
        ":x=y",
        "x=y",
    ],
)
@pytest.mark.parametrize("joint", ["?", "/?", "?to=x&", "?&", "/#?", "/#x?"])
def test_a_parameter_that_is_not_allowed_is_found_where_apprise_finds_it(
    joint: str, parameter: str, canary: Path
) -> None:
    with watched() as seen, pytest.raises(RefusedAddress):
        build(f"{SLACK}{joint}{parameter % canary if '%s' in parameter else parameter % ()}", None, allow_private=False)
    assert str(canary) not in seen.files


@pytest.mark.parametrize("url", [f"{SLACK}#?verify=no", f"{SLACK}?to=x#&verify=no", f"{SLACK}/x#y", f"{SLACK}?to=é"])
def test_what_two_readers_could_read_differently_is_not_taken(url: str) -> None:
    with pytest.raises(RefusedAddress):
        build(url, None, allow_private=False)


def test_where_private_addresses_are_allowed_files_and_certificates_are_guarded_all_the_same(canary: Path) -> None:
    assert build("json://127.0.0.1:9/", None, allow_private=True) is not None
    for url in ("jsons://127.0.0.1:9/?verify=no", f"{SLACK}?template={canary}", "json://127.0.0.1:9/?+x=y"):
        with pytest.raises(RefusedAddress):
            build(url, None, allow_private=True)


def test_the_guard_allows_what_the_built_plugin_may_do_and_nothing_else(canary: Path) -> None:
    allowed = sum(judge(url, canary) for url in islice(urls(9, canary), 3_000))
    assert 100 < allowed < 2_900, "the inputs are near the border, on both sides"


@pytest.mark.parametrize(
    "url", ["tgram://123456789:/", "tgram://", "slack://", "pagerduty://", "twilio://", "discord://a"]
)
def test_a_url_in_which_something_is_missing_is_none_that_can_be_used(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert build(url, None, allow_private=False) is None
    assert caplog.text == "", "Apprise's log would hold what was given"


# --- who may be mailed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "smtp"),
    [
        ("mailto:eve@example.org", "mailto://mail.example.org/ops@example.org?from=isonomy@example.org"),
        ("mailtos://user:password@example.org?to=eve@example.org", SMTP),
        ("mailtos://user:password@example.org/eve@example.org/mal@example.org", SMTP),
        ("mailtos://user:password@example.org?to=eve@example.org&cc=mal@example.org", SMTP),
        ("sendgrid://APIKEY:from@example.org/eve@example.org", SMTP),
        ("resend://re_abc:from@example.org/eve@example.org", SMTP),
        ("smtp2go://user@example.org/0123456789abcdef/eve@example.org", SMTP),
        ("ses://from@example.org/AKIAAAAAAAAAAAAAAAAA/secretsecretsecret/us-east-1/eve@example.org", SMTP),
        (f"pbul://{'a' * 34}/eve@example.org", SMTP),
        (f"pbul://{'a' * 34}/device?to=eve@example.org", SMTP),
        ("ntfy://127.0.0.1:9/topic?email=eve@example.org", SMTP),
    ],
)
def test_what_apprise_built_mails_to_the_one_address_that_was_named_and_to_nobody_else(url: str, smtp: str) -> None:
    with pytest.raises(RefusedAddress):
        build(url, smtp, allow_private=True)


def test_copies_that_the_operator_asks_for_are_the_operator_s_and_a_member_s_address_mails_nothing() -> None:
    archived = build("mailto:Eve@example.org", f"{SMTP}&bcc=archive@example.org", allow_private=False)
    assert [address for _, address in archived.targets] == ["Eve@example.org"]
    slack = "slack://xoxb-1234567890-1234567890-abcdefghijklmnopqrstuv/"
    for url in (f"{slack}eve@example.org", f"{slack}#general", f"pbul://{'a' * 34}/device"):
        assert build(url, SMTP, allow_private=False) is not None
