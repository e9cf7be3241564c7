"""SSRF guard: which addresses and URLs the herald refuses to send to. Pure.

There are two checks: this module checks the text of a URL, and `http_client.py` checks the address of every socket
before it connects. The second one is decisive, because a name may resolve to any address at any time.
"""

from __future__ import annotations

import ipaddress
import re

from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddress(ValueError):  # noqa: N818 -- read as a sentence
    """A URL or address that the herald does not deliver to. The message gives the reason, without path or query."""


_REFUSED = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; also the metadata server of one cloud
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform address, reachable only from its machines
        "169.254.0.0/16",  # link-local; metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/96",  # unspecified, loopback, IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # unique local; fd00:ec2::254 is a metadata server
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
]

_BAD_PORTS = frozenset({2049, 2181, 3306, 3659, 4045, 5060, 5061, 5432, 6000, 6379, 6566, 6667, 6697, 8500, 9092, 9200,
                        10080, 10250, 11211, 15672, 27017})  # fmt: skip
"""Ports of services that might act on a stray POST."""

_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z").match
MOST_BYTES = 2048


def check_address(text: str) -> None:
    """Check that an address is public; raises `RefusedAddress`.

    >>> check_address("93.184.216.34")
    >>> check_address("169.254.169.254")
    Traceback (most recent call last):
        ...
    services.herald.channels.ssrf_guard.RefusedAddress: 169.254.169.254 is not a public address
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise RefusedAddress(f"{text[:60]!r} is not an address") from None
    if any(address in network for network in _REFUSED if network.version == address.version) or not address.is_global:
        raise RefusedAddress(f"{address} is not a public address")


def read_url(text: str, *, allow_private: bool) -> URL:
    """Parse and check the URL of an endpoint.

    Parameters
    ----------
    allow_private
        Allows every host and port. The rules on the syntax stay.

    Raises
    ------
    RefusedAddress
        With the reason.
    """
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise RefusedAddress(f"the URL is longer than {MOST_BYTES} bytes")
    if re.search(r"[\s\\\x00-\x1f\x7f]", text):
        raise RefusedAddress("the URL contains white space, a backslash or a control character")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except (ValueError, IndexError):  # yarl (1.25.1) raises IndexError for an empty host behind brackets
        raise RefusedAddress("the URL cannot be read") from None
    if url.scheme not in ("http", "https"):
        raise RefusedAddress("the URL is neither http nor https")
    if not host or port is None:
        raise RefusedAddress("the URL has no host")
    if "%" in host:
        raise RefusedAddress("the host names a network interface, or contains a percent sign")
    if "@" in re.split(r"[/?#]", text.partition("//")[2], maxsplit=1)[0] or url.user is not None:
        raise RefusedAddress("the URL contains a user or a password: use a header")
    if not allow_private:
        _check_host(host)
        _check_port(port)
    return url.with_fragment(None)


def _check_host(host: str) -> None:
    if ":" in host:
        check_address(host)
        return
    labels = host.lower().rstrip(".").split(".")
    if _NUMBER(labels[-1]):
        # Resolvers accept 127.1, 0x7f.1 and 2130706433 as addresses; we accept only the plain form.
        try:
            plain = ipaddress.IPv4Address(host)
        except ValueError:
            raise RefusedAddress("the host is a number, but not an address") from None
        check_address(str(plain))
    if labels[-1] in ("localhost", "local", "internal", "localdomain", "home", "lan") or len(labels) == 1:
        raise RefusedAddress("the host is not a public name")


def _check_port(port: int) -> None:
    if port not in (80, 443) and (port < 1024 or port in _BAD_PORTS):
        raise RefusedAddress(f"port {port} is not allowed for deliveries")
