"""Nothing is sent into our own network, however its address is spelt."""

import pytest

from services.herald.channels.apprise_urls import SERVICES, read_apprise_url
from services.herald.channels.ssrf_guard import RefusedAddress, check_address, read_url

INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # a cloud's metadata
    "169.254.0.1",
    "169.254.169.254",  # metadata
    "168.63.129.16",  # of a cloud's own network
    "192.0.0.192",  # metadata
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",  # NAT64
    "64:ff9b:1::1",
    "2002:7f00:1::",  # 6to4
    "2001::1",  # Teredo
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata
    "ff02::1",
    "2001:db8::1",
]
OUTSIDE = ["93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:2800:220:1:248:1893:25c8:1946"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_inner_address_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddress):
        check_address(address)


@pytest.mark.parametrize("address", [address for address in INSIDE if "%" not in address])
def test_an_inner_address_in_a_url_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(RefusedAddress):
        read_url(f"https://{host}/hook", allow_private=False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_outer_address_is_not(address: str) -> None:
    check_address(address)
    host = f"[{address}]" if ":" in address else address
    assert read_url(f"https://{host}/hook", allow_private=False).raw_host == address


@pytest.mark.parametrize(
    "url",
    [
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://169.254.43518/",
        "http://0/",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://printer/",
        "http://kafka.internal/",
        "http://a.local/",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com\t.evil/",
        "http://exam ple.com/",
        "http://example.com/\r\nHost: x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "https:///path",
        "https://",
        "example.com",
        "",
        "http://example.com:0/",
        "http://example.com:22/",
        "http://example.com:6379/",
        "http://example.com:9092/",
        "http://example.com:99999/",
        "http://[::1",
        "https://[2606:2800:220:1::1]@",
        "https://[2606:2800:220:1::%]/",
        "https://[2606:2800:220:1::1%25eth0]/",
        "https://example.com/" + "x" * 3000,
    ],
)
def test_a_trick_in_a_url_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddress):
        read_url(url, allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?token=x",
        "http://example.com/",
        "https://example.com:8443/",
        "https://bücher.example/",
        "https://xn--bcher-kva.example:65535/a/b",
    ],
)
def test_a_public_url_is_taken(url: str) -> None:
    assert read_url(url, allow_private=False).scheme in ("http", "https")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9093/", "http://localhost:22/", "http://kafka.internal/"])
def test_a_setting_lifts_the_guard_on_hosts_and_ports(url: str) -> None:
    read_url(url, allow_private=True)


@pytest.mark.parametrize("url", ["http://u:p@localhost/", "file:///etc/passwd", "http://a b/"])
def test_no_setting_lifts_the_rules_on_form(url: str) -> None:
    with pytest.raises(RefusedAddress):
        read_url(url, allow_private=True)


def test_a_refusal_does_not_show_what_may_be_secret() -> None:
    with pytest.raises(RefusedAddress) as refused:
        read_url("http://127.0.0.1/hooks/s3cr3t?token=t0k3n", allow_private=False)
    assert "s3cr3t" not in str(refused.value)
    assert "t0k3n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/general",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?footer=yes",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "pagerduty://abcd@efgh?region=eu",
    ],
)
def test_services_with_a_host_of_their_own_are_taken(url: str) -> None:
    assert read_apprise_url(url, allow_private=False) == url


def test_e_mail_is_one_address() -> None:
    assert read_apprise_url("mailto:ada@example.org", allow_private=False) == "ada@example.org"


@pytest.mark.parametrize(
    "url",
    [
        "json://169.254.169.254/latest/meta-data",
        "jsons://example.com/",
        "xml://localhost",
        "form://10.0.0.1",
        "mattermost://example.com/token",
        "ntfy://example.com/topic",
        "syslog://",
        "dbus://",
        "mailtos://user:password@smtp.example.com",
        "mailto:a@example.org,b@example.org",
        "mailto:a@example.org?smtp=127.0.0.1",
        "mailto:a@localhost",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ#general",
        "slack:/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "discord://a/b?to=\u0430",
        "discord://a\\b",
        "slack",
        "",
    ],
)
def test_other_apprise_urls_are_refused(url: str) -> None:
    with pytest.raises(RefusedAddress):
        read_apprise_url(url, allow_private=False)


@pytest.mark.parametrize("url", ["syslog://", "file:///tmp/x", "dbus://"])
def test_services_of_this_machine_are_never_taken(url: str) -> None:
    with pytest.raises(RefusedAddress):
        read_apprise_url(url, allow_private=True)


def test_apprise_knows_every_service_that_is_allowed() -> None:
    from apprise import Apprise

    known = {scheme for details in Apprise().details()["schemas"] for scheme in
             (*(details["protocols"] or ()), *(details["secure_protocols"] or ()))}  # fmt: skip
    assert set(SERVICES) <= known
