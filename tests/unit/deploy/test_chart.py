"""The Helm chart: Helm's own lint and rendering, the schemas of Kubernetes, and what it must agree on with the code."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.helm.write import documents
from streams.contracts.access import KAFKA, REDIS
from streams.contracts.setting_groups import FoldSettings, KafkaSettings
from streams.contracts.settings import Settings, documented
from streams.contracts.topics import TOPICS
from tests.support.chart import CHART, PROCESSES, VALUES, containers, of_kind, rendered
from tests.support.checkers import DEPLOY

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SECRET = {"name": "secret", "key": "password"}
EVERYTHING = {
    "intake": {"keda": {"enabled": True}},
    "gateway": {"autoscaling": {"enabled": True}},
    "board": {"autoscaling": {"enabled": True}},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True},
    "fairness": '[default]\nfalse_pages = "one a year at 100,000 battles a day"\n',
    "ratings": "[default]\nleast_votes = 40\n",
    "settings": {"ISONOMY_REWEIGHTED": True},
    "subscriberKeys": {"name": "subscribers", "key": "keys"},
    "smtpUrl": {"name": "mail", "key": "url"},
    "redis": {"ca": {"name": "redis-ca", "key": "ca.crt"}},
    "nodeSelector": {"disk": "none"},
    "podAnnotations": {"a": "b"},
    "imagePullSecrets": [{"name": "registry"}],
}
WITHOUT_STRIMZI = {
    "kafka": {
        "bootstrapServers": "kafka.example:9093",
        "mechanism": "PLAIN",
        "strimzi": {"enabled": False},
        "users": {name: {"username": name, "secret": SECRET} for name in KAFKA if name != "operator"},
    },
    "intake": {"keda": {"enabled": True}},
}
PLAIN = {
    "kafka": {"bootstrapServers": "kafka:9092", "security": "PLAINTEXT", "strimzi": {"enabled": False}},
    "redis": {
        "url": "redis://redis:6379/0",
        "users": {name: {"username": "", "secret": {"name": "", "key": "none"}} for name in ("worker", "board")},
    },
    "gatewayKeys": {"name": "", "key": "keys"},
    "intake": {"keda": {"enabled": True}},
    "networkPolicy": {"enabled": False},
}
SENTINELS = {
    "redis": {
        "url": "rediss+sentinel://sentinel-0:26379,sentinel-1:26379/arena/0",
        "ca": {"name": "redis-ca", "key": "ca.crt"},
        "sentinelPassword": {"name": "sentinels", "key": "password"},
    },
}
CHOICES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "without Strimzi": WITHOUT_STRIMZI,
    "plain": PLAIN,
    "sentinels": SENTINELS,
}


def test_what_the_chart_takes_from_the_code_is_current() -> None:
    for path, text in documents().items():
        assert path.read_text() == text, f"stale: {path} (run: python -m deploy.helm.write)"
    assert set((CHART / "files").rglob("*.y*ml")) == set(documents())


@pytest.mark.parametrize("choice", CHOICES)
def test_helm_and_the_schemas_of_kubernetes_take_it(choice: str) -> None:
    found = rendered(CHOICES[choice])
    assert found["lint"]["errors"] == []
    assert [each for each in found["lint"]["messages"] if each["severity"] > 1] == []
    assert found["faults"] == []
    names = [(each["kind"], each["metadata"]["name"]) for each in found["documents"]]
    assert len(names) == len(set(names))
    assert {f"arena-isonomy-{name}" for name in PROCESSES} == set(of_kind("Deployment", CHOICES[choice]))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kafka": {"security": "TLS"}}, "kafka"),
        ({"settings": {"PATH": "/"}}, "PATH"),
        ({"redis": {"url": "rediss://me:secret@redis:6379/0"}}, "url"),
        ({"intake": {"replicas": 0}}, "replicas"),
        ({"worker": {}}, "worker"),
        ({"networkPolicy": {"heraldPorts": [443]}}, "heraldPorts"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"kafka": {"strimzi": {"enabled": False}}}, "kafka.users"),
    ],
)
def test_values_that_cannot_be_are_refused(values: dict[str, Any], said: str) -> None:
    assert said in rendered(values)["refused"]


def test_every_value_is_in_the_schema_and_has_a_default() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)


def test_topics_are_those_of_the_code() -> None:
    found = {each["spec"]["topicName"]: each["spec"] for each in of_kind("KafkaTopic", {}).values()}
    assert set(found) == {KafkaSettings().topic(topic.name) for topic in TOPICS}
    for topic in TOPICS:
        spec = found[KafkaSettings().topic(topic.name)]
        assert spec["config"].items() >= topic.config.items()
        assert spec["partitions"] == VALUES["kafka"]["strimzi"]["partitions"].get(topic.name, topic.partitions)
        assert spec["replicas"] == 3
    assert all(
        each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        for each in of_kind("KafkaTopic", {}).values()
    )


def test_users_are_granted_what_the_secured_tests_grant() -> None:
    found = of_kind("KafkaUser", {})
    assert set(found) == {f"arena-isonomy-{name}" for name in KAFKA}
    for name, grants in KAFKA.items():
        acls = found[f"arena-isonomy-{name}"]["spec"]["authorization"]["acls"]
        assert [
            (acl["resource"]["type"], acl["resource"]["name"], acl["resource"]["patternType"], tuple(acl["operations"]))
            for acl in acls
        ] == [
            (grant.resource, f"isonomy.{grant.name}", "literal" if grant.name else "prefix", grant.operations)
            for grant in grants
        ]


@pytest.mark.parametrize("choice", CHOICES)
def test_settings_exist_can_be_read_and_name_only_files_that_are_mounted(choice: str) -> None:
    variables = {variable for rows in documented().values() for variable, _, _ in rows}
    for pod, container in containers(CHOICES[choice]):
        if "env" not in container:
            continue
        environment = {each["name"]: each["value"] for each in container["env"]}
        assert set(environment) <= variables
        settings = Settings.from_env(environment)
        files = {value for value in environment.values() if value.startswith("/etc/isonomy/")}
        sources = [each for volume in pod["volumes"] for each in volume.get("projected", {}).get("sources", ())]
        items = [item for each in sources for item in (each.get("secret") or each["configMap"])["items"]]
        assert files == {f"/etc/isonomy/{item['path']}" for item in items}
        port = container["ports"][0]["containerPort"]
        process = container["args"][0]
        assert port == getattr(settings, process).port


@pytest.mark.parametrize("choice", CHOICES)
def test_containers_are_restricted_probed_and_bounded(choice: str) -> None:
    for pod, container in containers(CHOICES[choice]):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert "cpu" in container["resources"]["requests"]
        if "args" in container:
            paths = {
                probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")
            }
            # A board serves what it knows while Redis is away, so its readiness must not depend on Redis.
            started, ready = ("/readyz", "/healthz") if container["name"] == "board" else ("/healthz", "/readyz")
            assert paths == {"startup": started, "liveness": "/healthz", "readiness": ready}


def test_a_digest_wins_over_the_tag_in_every_container() -> None:
    digest = "sha256:" + "7a" * 32
    for image, expected in (
        ({"repository": "registry.example/isonomy"}, "registry.example/isonomy:0.1.0"),
        ({"tag": "2.0.0"}, "isonomy:2.0.0"),
        ({"tag": "2.0.0", "digest": digest}, f"isonomy@{digest}"),
    ):
        found = [container["image"] for _, container in containers({"image": image})]
        assert found == [expected] * 7  # two of them in the init containers that bring machine code


def test_no_secret_is_in_what_is_rendered() -> None:
    assert of_kind("Secret", EVERYTHING) == {}


def test_intake_is_scaled_slowly_and_by_its_own_lag() -> None:
    (scaled,) = of_kind("ScaledObject", EVERYTHING).values()
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["consumerGroup"] == KafkaSettings().group("intake")
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == ("scram_sha512", "enable")
    behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 1800
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] >= 120
    assert "replicas" not in of_kind("Deployment", EVERYTHING)["arena-isonomy-intake"]["spec"]
    (plain,) = of_kind("ScaledObject", PLAIN).values()
    assert "authenticationRef" not in plain["spec"]["triggers"][0]
    assert plain["spec"]["triggers"][0]["metadata"]["sasl"] == "none"
    (other,) = of_kind("ScaledObject", WITHOUT_STRIMZI).values()
    assert other["spec"]["triggers"][0]["metadata"]["sasl"] == "plaintext"


def test_prometheus_is_given_the_rules_and_the_jobs_that_they_look_for() -> None:
    (rule,) = of_kind("PrometheusRule", EVERYTHING).values()
    committed = [
        group
        for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    assert rule["spec"]["groups"] == committed
    (monitor,) = of_kind("ServiceMonitor", EVERYTHING).values()
    services = of_kind("Service", EVERYTHING).values()
    label = monitor["spec"]["jobLabel"]
    assert {each["metadata"]["labels"][label] for each in services} == {
        f"isonomy-{process}" for process in ("worker", "gateway", "board", "herald")
    }
    assert all(
        monitor["spec"]["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items() for each in services
    )


def test_users_of_redis_are_those_of_the_code() -> None:
    assert set(VALUES["redis"]["users"]) == set(REDIS) - {"operator"}


@pytest.mark.parametrize("name", ["fairness", "ratings"])
def test_a_change_of_an_arena_s_settings_starts_the_folds_anew(name: str) -> None:
    def annotations(values: dict[str, Any]) -> dict[str, str]:
        deployment = of_kind("Deployment", values)["arena-isonomy-folds"]
        return deployment["spec"]["template"]["metadata"]["annotations"]

    changed = {**EVERYTHING, name: "[default]\n"}
    assert annotations(EVERYTHING)[f"checksum/{name}"] != annotations(changed)[f"checksum/{name}"]
    assert annotations(EVERYTHING)["checksum/connections"] == annotations(changed)["checksum/connections"]


def test_processes_that_need_redis_reach_its_sentinels_and_know_their_password() -> None:
    reach = {
        name: {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        for name, policy in of_kind("NetworkPolicy", SENTINELS).items()
    }
    told = [{each["name"] for each in container.get("env", ())} for _, container in containers(SENTINELS)]
    for name, ports in reach.items():
        needs = name.rpartition("-")[2] in ("intake", "folds", "board")
        assert (26379 in ports) == needs == (6379 in ports), name
    assert any("REDIS_SENTINEL_PASSWORD_FILE" in environ for environ in told)
    for environ in told:
        assert ("REDIS_SENTINEL_PASSWORD_FILE" in environ) == ("REDIS_URL" in environ)
    for policy in of_kind("NetworkPolicy", {}).values():
        assert 26379 not in {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_the_folds_may_take_what_their_counts_are_allowed_to() -> None:
    """A worker takes up to three times its counts: the limit has to act before the kernel does."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    limit = values["folds"]["resources"]["limits"]["memory"]
    assert limit == "3Gi"
    assert 3 * FoldSettings().worker_bytes <= 3 * 2**30
    assert FoldSettings().arena_bytes < FoldSettings().worker_bytes
