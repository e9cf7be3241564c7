"""Findings about an existing topic: what loses data, what differs, what is only doubtful, and the correction."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli import footing
from services.cli.errors import UserError
from services.cli.topics import command
from streams.contracts.settings import Settings
from streams.contracts.topics import (
    ALERTS,
    DAY_MS,
    DEAD_LETTERS,
    DELIVERIES,
    LEDGER,
    MODELS,
    SUBSCRIPTIONS,
    TOPICS,
    VOTES,
    Found,
    Topic,
    Weight,
    Wish,
    config_of,
    judge,
)


def weights(topic: Topic, wish: Wish | None = None, **changes: Any) -> dict[str, Weight]:
    """Judge a topic that is right but for the changes, given with underscores; by the setting at fault."""
    wish = wish or Wish()
    config = config_of(topic, wish) | {key.replace("_", "."): value for key, value in changes.items()}
    found = judge(topic, Found(topic.partitions, config, wish.replication, brokers=1), wish)
    assert all(finding.repair is not None for finding in found)
    return {finding.repair[0]: finding.weight for finding in found if finding.repair is not None}


@pytest.mark.parametrize("replication", [1, 3])
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_as_it_is_created_is_right(topic: Topic, replication: int) -> None:
    assert weights(topic, Wish(replication)) == {}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_what_a_broker_does_not_tell_is_no_finding(topic: Topic) -> None:
    assert judge(topic, Found(topic.partitions), Wish(replication=3)) == []


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        (LEDGER, {"retention_ms": "604800000"}),
        (LEDGER, {"retention_bytes": "1000000000"}),
        (LEDGER, {"cleanup_policy": "compact"}),
        (LEDGER, {"cleanup_policy": "compact,delete"}),
        (VOTES, {"cleanup_policy": "compact"}),
        (VOTES, {"message_timestamp_type": "CreateTime"}),
        (ALERTS, {"cleanup_policy": "delete", "retention_ms": "604800000"}),
        *(
            (topic, {"cleanup_policy": policy, "retention_ms": "604800000"})
            for topic in (MODELS, SUBSCRIPTIONS, DELIVERIES)
            for policy in ("delete", "compact,delete")
        ),
        (DELIVERIES, {"cleanup_policy": "delete", "retention_ms": "-1", "retention_bytes": "1000"}),
    ],
)
def test_what_takes_needed_records_away_loses_data(topic: Topic, changes: dict[str, Any]) -> None:
    assert Weight.LOSES in weights(topic, **changes).values()


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        (MODELS, {"cleanup_policy": "delete", "retention_ms": "-1"}),  # grows, and loses nothing
        (MODELS, {"message_timestamp_type": "CreateTime"}),
        (VOTES, {"retention_bytes": "1000000"}),
        (VOTES, {"max_message_bytes": "1000"}),
        (ALERTS, {"min_compaction_lag_ms": "0"}),
        (DELIVERIES, {"min_compaction_lag_ms": str(DAY_MS)}),
        (SUBSCRIPTIONS, {"min_compaction_lag_ms": "0"}),
        (DEAD_LETTERS, {"retention_ms": str(DAY_MS)}),
        (LEDGER, {"unclean_leader_election_enable": "true"}),
    ],
)
def test_what_only_differs_refuses_no_start(topic: Topic, changes: dict[str, Any]) -> None:
    assert set(weights(topic, **changes).values()) == {Weight.DIFFERS}


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        (DEAD_LETTERS, {"retention_ms": "-1"}),
        (DEAD_LETTERS, {"retention_ms": str(365 * DAY_MS)}),
        (LEDGER, {"max_message_bytes": "20000000"}),
        (ALERTS, {"min_compaction_lag_ms": str(30 * DAY_MS)}),
        (VOTES, {"retention_ms": "-1"}),
        (VOTES, {"retention_ms": str(7 * DAY_MS)}),
        (VOTES, {"compression_type": "zstd"}),
    ],
)
def test_more_than_is_needed_is_as_good(topic: Topic, changes: dict[str, Any]) -> None:
    assert weights(topic, **changes) == {}


def test_votes_kept_for_less_than_the_horizon_of_deduplication_are_said_to_count_twice() -> None:
    config = config_of(VOTES, Wish()) | {"retention.ms": str(3 * DAY_MS)}
    (finding,) = judge(VOTES, Found(4, config), Wish(dedup_seconds=7 * 86_400))
    assert finding.weight is Weight.DIFFERS
    assert "3 days" in finding.text
    assert "7 days, ISONOMY_DEDUP_SECONDS" in finding.text
    assert finding.repair == ("retention.ms", str(30 * DAY_MS))
    assert judge(VOTES, Found(4, config), Wish(dedup_seconds=2 * 86_400)) == []


def test_a_long_horizon_makes_votes_be_kept_for_as_long() -> None:
    assert config_of(VOTES, Wish(dedup_seconds=90 * 86_400))["retention.ms"] == str(90 * DAY_MS)


def test_three_replicas_write_to_two_at_least_and_fewer_may_write_to_one() -> None:
    assert config_of(LEDGER, Wish(replication=3))["min.insync.replicas"] == "2"
    assert "min.insync.replicas" not in config_of(LEDGER, Wish(replication=2))
    # As found, not as wished: a topic may have been made by somebody else.
    (finding,) = judge(LEDGER, Found(4, {"min.insync.replicas": "1"}, replication=3, brokers=3), Wish(replication=1))
    assert (finding.weight, finding.repair) == (Weight.DIFFERS, ("min.insync.replicas", "2"))
    assert judge(LEDGER, Found(4, {"min.insync.replicas": "1"}, replication=2, brokers=3), Wish(replication=1)) == []


def test_one_replica_of_the_ledger_is_doubtful_only_where_there_are_several_brokers() -> None:
    (finding,) = judge(LEDGER, Found(4, replication=1, brokers=3), Wish())
    assert finding.weight is Weight.DOUBTFUL
    assert judge(LEDGER, Found(4, replication=1, brokers=1), Wish()) == []
    assert judge(VOTES, Found(4, replication=1, brokers=3), Wish()) == []


def test_fewer_replicas_than_asked_for_differ_and_no_setting_mends_it() -> None:
    (finding,) = judge(VOTES, Found(4, replication=1, brokers=3), Wish(replication=3))
    assert (finding.weight, finding.repair) == (Weight.DIFFERS, None)


def test_deliveries_have_one_partition_or_nothing_begins() -> None:
    (finding,) = judge(DELIVERIES, Found(4), Wish(), partitions=1)
    assert (finding.weight, finding.repair) == (Weight.LOSES, None)
    assert "4 partitions, must be 1" in finding.text
    assert "delete the topic" in finding.text
    assert judge(DELIVERIES, Found(4), Wish(), partitions=4) == [finding]  # nobody can wish for more
    assert judge(DELIVERIES, Found(1), Wish(), partitions=1) == []


def test_a_process_refuses_deliveries_of_several_partitions_and_promises_no_repair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings()
    name = settings.kafka.topic(DELIVERIES.name)
    monkeypatch.setattr(footing, "reach_kafka", lambda _: None)
    monkeypatch.setattr(footing, "admin_of", lambda _: nullcontext(SimpleNamespace(list_topics=lambda: [name])))
    monkeypatch.setattr(footing, "describe", lambda *_: {name: Found(4)})
    with pytest.raises(UserError, match="4 partitions, must be 1") as refused:
        footing.require_topics(settings, [DELIVERIES.name])
    assert "--repair" not in str(refused.value)


def test_several_partitions_of_deliveries_cannot_be_asked_for() -> None:
    refused = CliRunner().invoke(command, ["--partitions", "deliveries=4"])
    assert refused.exit_code == 2
    assert "deliveries must have 1" in refused.output


@pytest.mark.parametrize("topic", [each for each in TOPICS if not each.single], ids=lambda topic: topic.name)
def test_more_partitions_of_other_topics_are_as_good(topic: Topic) -> None:
    assert judge(topic, Found(12), Wish(), partitions=1) == []


@pytest.mark.parametrize(("topic", "why"), [(VOTES, "count twice"), (LEDGER, "move arenas")])
def test_too_few_partitions_differ_and_are_not_mended_for_a_reason(topic: Topic, why: str) -> None:
    (finding,) = judge(topic, Found(2), Wish())
    assert (finding.weight, finding.repair) == (Weight.DIFFERS, None)
    assert "2 partitions, expected 4" in finding.text
    assert why in finding.text
    assert judge(topic, Found(2), Wish(), partitions=2) == []
