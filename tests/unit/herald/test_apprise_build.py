"""What Apprise makes of a URL is looked at: its own reading of the parameters counts, and no other."""

from itertools import islice

import pytest

from services.herald.channels.address import RefusedAddress
from services.herald.channels.apprise_build import build
from tests.fuzz.channel_urls import CANARY, SEEDS, judge, urls, watched

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
def canary(tmp_path):
    file = tmp_path / "canary.json"
    file.write_text(f'{{"text": "{CANARY}"}}')
    return file


@pytest.mark.parametrize("url", SEEDS)
def test_every_service_is_built_and_stays_with_its_hosts(url, canary):
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
def test_a_parameter_that_is_not_allowed_is_found_where_apprise_finds_it(joint, parameter, canary):
    with watched() as seen, pytest.raises(RefusedAddress):
        build(f"{SLACK}{joint}{parameter % canary if '%s' in parameter else parameter % ()}", None, allow_private=False)
    assert str(canary) not in seen.files


@pytest.mark.parametrize("url", [f"{SLACK}#?verify=no", f"{SLACK}?to=x#&verify=no", f"{SLACK}/x#y", f"{SLACK}?to=é"])
def test_what_two_readers_could_read_differently_is_not_taken(url):
    with pytest.raises(RefusedAddress):
        build(url, None, allow_private=False)


def test_where_private_addresses_are_allowed_files_and_certificates_are_guarded_all_the_same(canary):
    assert build("json://127.0.0.1:9/", None, allow_private=True) is not None
    for url in ("jsons://127.0.0.1:9/?verify=no", f"{SLACK}?template={canary}", "json://127.0.0.1:9/?+x=y"):
        with pytest.raises(RefusedAddress):
            build(url, None, allow_private=True)


def test_the_guard_allows_what_the_built_plugin_may_do_and_nothing_else(canary):
    allowed = sum(judge(url, canary) for url in islice(urls(9, canary), 3_000))
    assert 100 < allowed < 2_900, "the inputs are near the border, on both sides"


@pytest.mark.parametrize(
    "url", ["tgram://123456789:/", "tgram://", "slack://", "pagerduty://", "twilio://", "discord://a"]
)
def test_a_url_in_which_something_is_missing_is_none_that_can_be_used(url, caplog):
    assert build(url, None, allow_private=False) is None
    assert caplog.text == "", "Apprise's log would hold what was given"
