"""Who may talk to whom in the cluster, against what the processes really do."""

import importlib
import re
from ipaddress import ip_address, ip_network
from typing import Any

import grimp
import pytest

from tests.support.chart import PROCESSES, VALUES, of_kind, rendered

SUBSCRIBERS = {"subscriberKeys": {"name": "subscribers", "key": "keys"}}
SENTINELS = {"redis": {"url": "rediss+sentinel://sentinel-0:26379,sentinel-1:26379/arena/0"}}
PORTS = VALUES["networkPolicy"]["ports"]
PRIVATE = [
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.0.1",
    "fd00::1",
    "fe80::1",
    "::1",
]
SENDS = "services.herald.channels.http_client"
"""The module that opens connections to subscribers' channels."""


def policies(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix("arena-isonomy-"): each["spec"] for name, each in of_kind("NetworkPolicy", values).items()
    }


def command(component: str, values: dict[str, Any]) -> str:
    (container,) = of_kind("Deployment", values)[f"arena-isonomy-{component}"]["spec"]["template"]["spec"]["containers"]
    return container["args"][0]


def ports(policy: dict[str, Any]) -> set[int]:
    """Ports to everywhere but those of the channels."""
    return {port["port"] for rule in policy["egress"] if "to" not in rule for port in rule["ports"]}


def world(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in policy["egress"] if "to" in rule]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("services", "streams", cache_dir=None)


@pytest.mark.parametrize("values", [{}, SUBSCRIBERS, SENTINELS], ids=["defaults", "subscribers", "sentinels"])
def test_a_component_reaches_what_its_process_logs_in_to_and_nothing_else(values: dict[str, Any]) -> None:
    found = policies(values)
    assert set(found) == PROCESSES
    for component, policy in found.items():
        process = importlib.import_module(f"services.cli.{command(component, values)}")
        expected = {53}
        # Each process asks at its start whether it is let in where it goes.
        expected |= {PORTS["kafka"]} if hasattr(process, "require_kafka") else set()
        redis = {PORTS["redis"]} | ({PORTS["sentinel"]} if values is SENTINELS else set())
        expected |= redis if hasattr(process, "require_redis") else set()
        assert ports(policy) == expected, component
        assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_a_component_is_told_of_redis_if_it_may_reach_it() -> None:
    for name, deployment in of_kind("Deployment", {}).items():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        told = {each["name"] for each in container["env"]}
        policy = policies({})[name.removeprefix("arena-isonomy-")]
        assert ("REDIS_URL" in told) == (PORTS["redis"] in ports(policy)), name
        assert ("KAFKA_BOOTSTRAP_SERVERS" in told) == (PORTS["kafka"] in ports(policy)), name


def test_who_sends_to_channels_may_go_out_and_nobody_else(imports: grimp.ImportGraph) -> None:
    found = policies(SUBSCRIBERS)
    for component, policy in found.items():
        sends = imports.chain_exists(f"services.cli.{command(component, SUBSCRIBERS)}", SENDS)
        assert bool(world(policy)) == sends, component
    assert [name for name in sorted(found) if world(found[name])] == ["board", "herald"]
    assert world(found["board"]) == world(found["herald"])
    # Without keys nobody can have the board send a test.
    assert not world(policies({})["board"])
    assert world(policies({})["herald"])


def test_the_way_out_leads_to_no_private_address() -> None:
    (rule,) = world(policies(SUBSCRIBERS)["board"])
    assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]
    blocks = [each["ipBlock"] for each in rule["to"]]

    def reached(address: str) -> bool:
        found = ip_address(address)
        return any(
            found.version == ip_network(block["cidr"]).version
            and found in ip_network(block["cidr"])
            and not any(found in ip_network(each) for each in block.get("except", ()))
            for block in blocks
        )

    assert [address for address in PRIVATE if reached(address)] == []
    assert all(reached(address) for address in ("1.1.1.1", "2606:4700:4700::1111"))


def test_who_may_come_in_is_who_scrapes_and_before_gateway_and_board_who_is_named() -> None:
    peers = {
        "scraper": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        "from": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
    }
    for component, policy in policies({"networkPolicy": peers}).items():
        doors = component in ("gateway", "board")
        expected = [peers["scraper"], *([peers["from"]] if doors else [])]
        assert [rule["from"] for rule in policy["ingress"]] == expected, component
        assert all(rule["ports"] == [{"port": "http", "protocol": "TCP"}] for rule in policy["ingress"])


def test_the_doors_are_those_with_an_address_in_the_cluster() -> None:
    # A headless Service is for whoever looks for each pod, as Prometheus does; only what is asked for has an address.
    asked = {name for name, each in of_kind("Service", {}).items() if each["spec"].get("clusterIP") != "None"}
    doors = {f"arena-isonomy-{name}" for name, policy in policies({}).items() if len(policy["ingress"]) > 1}
    assert asked == doors


def test_no_component_is_let_in_for_being_of_the_release_and_none_is_told_of_another() -> None:
    for policy in policies({}).values():
        assert "isonomy" not in str(policy["ingress"])
    for deployment in of_kind("Deployment", SUBSCRIBERS).values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]:
            assert not re.search(r"arena-isonomy-(intake|folds|gateway|board|herald):", variable["value"]), variable


def test_by_default_prometheus_alone_reaches_workers_and_herald() -> None:
    prometheus = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}
    for component in ("intake", "folds", "herald"):
        (rule,) = policies({})[component]["ingress"]
        assert rule["from"] == [prometheus]


def test_nobody_named_is_nobody_and_not_everybody() -> None:
    values: dict[str, dict[str, list[object]]] = {"networkPolicy": {"scraper": [], "from": []}}
    assert rendered(values)["faults"] == []
    for policy in policies(values).values():
        assert not policy["ingress"]
        assert "Ingress" in policy["policyTypes"]


def test_every_pod_is_under_exactly_its_own_policy() -> None:
    for name, deployment in of_kind("Deployment", {}).items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        under = [
            other
            for other, policy in of_kind("NetworkPolicy", {}).items()
            if policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert under == [name]


def test_the_ports_are_those_of_the_addresses() -> None:
    assert VALUES["kafka"]["bootstrapServers"].endswith(f":{PORTS['kafka']}")
    assert f":{PORTS['redis']}/" in VALUES["redis"]["url"]
