"""The Prometheus metrics of every process: the one registry of names, and the source of their docs page.

Labels are bounded: arenas, topics, partitions, stages, reasons; never a vote, a voter or a model. Published values of
models have series too, which a board computes at each scrape: `published_series.py`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector

FRESHNESS_BUCKETS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)
REFRESH_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.5)
DELIVERY_BUCKETS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """All series, created at start on one registry.

    Parameters
    ----------
    registry
        Where they are registered; a new registry by default, so tests and processes never share one.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        # Memory, CPU, open files and start time of this process.
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

        # --- gateway -----------------------------------------------------------------------------------------------
        self.requests = self._counter("gateway_requests", "HTTP requests answered.", "route", "status")
        self.request_seconds = self._histogram(
            "gateway_request_seconds", "Time to answer, Kafka's acknowledgement included.", REQUEST_BUCKETS, "route"
        )
        # outcome: accepted, a Reason, or why the whole request was refused (rate_limited, unavailable, …).
        self.gateway_votes = self._counter("gateway_votes", "Votes by what became of them.", "outcome")

        # `key`: its name in the key file; a key that has left the file has no series.
        self.key_quarantined = self._gauge(
            "gateway_key_quarantined", "1 while a key is answered 429 for what it sent; keys that have sent.", "key"
        )
        self.quarantine_refusals = self._counter(
            "gateway_quarantine_refusals", "Requests refused because their key was quarantined.", "key"
        )
        self.key_arenas = self._gauge(
            "gateway_key_arenas", "Different arenas that a key for all arenas wrote to within a day.", "key"
        )
        self.key_names_refused = self._counter(
            "gateway_key_names_refused", "Votes refused because their key had named too many models.", "key"
        )

        # --- board -------------------------------------------------------------------------------------------------
        self.board_requests = self._counter("board_requests", "HTTP requests answered.", "route", "status")
        self.board_request_seconds = self._histogram(
            "board_request_seconds", "Time to answer; streams of events are not timed.", REQUEST_BUCKETS, "route"
        )
        self.board_clients = self._gauge("board_clients", "Streams of events that are open.")
        self.board_clients_cut = self._counter(
            "board_clients_cut", "Streams of events cut: the client did not keep up."
        )
        # 0 while Redis is followed.
        self.board_age = self._gauge("board_age_seconds", "Time for which what is served may have been out of date.")

        # --- intake ------------------------------------------------------------------------------------------------
        # outcome: counted, duplicate, or a Reason.
        self.votes = self._counter("intake_votes", "Votes read, by what became of them.", "outcome")
        self.notices = self._counter("intake_notices", "Model records read, by what became of them.", "outcome")
        self.blocks = self._counter("intake_ledger_records", "Ledger records written and acknowledged.")
        self.dedup_ids = self._gauge("intake_dedup_ids", "Vote ids remembered.", "partition")
        self.dedup_bytes = self._gauge("intake_dedup_bytes", "Memory of the vote ids remembered.", "partition")

        # Only while an arena is over a limit (ISONOMY_DEAD_LETTER_*); arena `-`: records that do not name one.
        self.refused_ratio = self._gauge(
            "intake_arena_refused_ratio", "Part of an arena's last votes that was refused, where it is too much.",
            "arena", "partition",
        )  # fmt: skip
        # Above 0 while intake is stopped by it; `isonomy intake accept-gap` lets intake continue.
        self.gap = self._gauge(
            "intake_records_gone", "Records that are no longer in the log and were never taken.", "topic", "partition"
        )
        self.foreign_commits = self._counter(
            "intake_foreign_commits", "Commits of the group that were not ours, and not believed."
        )
        self.unreadable = self._counter(
            "intake_unreadable_batches", "Record batches that no client can read, parked as dead letters.", "topic"
        )
        self.memory_short = self._gauge(
            "intake_dedup_records_missing", "Records that the id memory lacks of its horizon: the log was shortened.",
            "partition",
        )  # fmt: skip

        # --- ratings -----------------------------------------------------------------------------------------------
        self.folded = self._counter("ratings_votes", "Ledger rows folded.", "arena")
        self.dropped = self._counter("ratings_rows_dropped", "Ledger rows at or below the watermark.", "arena")
        self.unrated = self._gauge(
            "ratings_votes_unrated", "Votes beyond max_models so far: in the ledger, on no board.", "arena"
        )
        self.models = self._gauge("ratings_models", "Models on the overall board.", "arena")
        self.boards = self._gauge("ratings_boards", "Boards published.", "arena")
        self.arena_bytes = self._gauge("ratings_arena_bytes", "Memory of an arena's counts.", "arena")
        self.refresh_seconds = self._histogram(
            "ratings_refresh_seconds", "Time to solve and publish the changed boards of an arena.", REFRESH_BUCKETS
        )
        # From the broker's record time of a vote to the publish of the first board that counts it.
        self.freshness_seconds = self._histogram(
            "ratings_freshness_seconds",
            "Age of the newest vote when its board is published.",
            FRESHNESS_BUCKETS,
            "arena",
        )
        # From the vote's own tstamp; a replay of old votes shows large values here.
        self.event_lag_seconds = self._histogram(
            "ratings_event_lag_seconds", "Time from tstamp to publish, newest vote.", FRESHNESS_BUCKETS, "arena"
        )
        self.snapshots = self._counter("fold_snapshots", "States saved.", "stage", "arena")
        self.snapshot_bytes = self._gauge("fold_snapshot_bytes", "Size of the last state saved.", "stage", "arena")
        # cause: missing (lost, or dropped by `isonomy rebuild`), damaged, foreign (another ledger).
        self.refolds = self._counter("fold_refolds", "Refolds from the start of the ledger.", "stage", "cause")
        self.stopped = self._gauge(
            "fold_arena_stopped",
            "1 when nothing more of an arena is folded, or of a partition (arena is then like ledger/3): see the log.",
            "stage",
            "arena",
        )
        # cause: unreachable, full, read_only, loading, disk, replicas, cluster, refused, busy, other (docs/runbooks).
        self.redis_away = self._gauge("redis_away", "1 while a stage waits for Redis, by why.", "stage", "cause")
        self.fenced = self._counter("fold_fenced", "Writes refused because another owner took over.", "stage", "arena")
        self.republished = self._counter(
            "fold_republished", "Views written again because Redis had lost them.", "stage", "arena"
        )

        # --- fairness ----------------------------------------------------------------------------------------------
        self.alerts = self._counter("fairness_alerts", "Alerts emitted, repeats included.", "arena", "kind", "status")
        self.firing = self._gauge("fairness_alerts_firing", "Alerts that fire.", "arena")

        # --- herald ------------------------------------------------------------------------------------------------
        # channel: webhook, apprise, alertmanager. outcome: delivered, rejected, timeout, refused, … (docs/contracts).
        self.herald_attempts = self._counter(
            "herald_attempts", "Messages sent or tried to, by what came of it.", "channel", "outcome"
        )
        self.herald_attempt_seconds = self._histogram(
            "herald_attempt_seconds", "Time of one attempt, its answer included.", REQUEST_BUCKETS, "channel"
        )
        # state: delivered, dead, skipped.
        self.herald_deliveries = self._counter(
            "herald_deliveries", "Deliveries (an alert to a subscription) that are settled.", "channel", "state"
        )
        # For an alert that fires before a subscription begins, the time counts from the creation of the delivery.
        self.herald_delivery_seconds = self._histogram(
            "herald_delivery_seconds",
            "Time from the alert's record to the endpoint's acknowledgement.",
            DELIVERY_BUCKETS,
            "channel",
        )
        self.herald_pending = self._gauge("herald_pending", "Deliveries that are owed and not held.", "channel")
        # Those of a disabled subscription, and resolved notices that wait for their firing.
        self.herald_held = self._gauge("herald_held", "Deliveries that are held.", "channel")
        self.herald_oldest_seconds = self._gauge(
            "herald_oldest_pending_seconds", "Age of the oldest delivery that is owed and not held; 0: none."
        )
        self.herald_under_way = self._gauge("herald_attempts_under_way", "Attempts under way.")
        # status: active, disabled, unconfirmed.
        self.herald_subscriptions = self._gauge("herald_subscriptions", "Subscriptions.", "channel", "status")
        # what: new, worse, repeat, resolved, stale (a replay of what is over), invalid.
        self.herald_alerts = self._counter("herald_alerts", "Alert records read, by what they say.", "what")
        self.herald_resends = self._counter(
            "herald_resends", "Posts to Alertmanagers of what still fires, by what came of it.", "outcome"
        )
        # Counted by the board, which asks. what: asked, failed (not sent), refused (a budget was used up), confirmed,
        # withdrawn, unknown (a link that is none, or none any more).
        self.confirmations = self._counter(
            "confirmations", "What became of asking recipients of e-mail to confirm a subscription.", "what"
        )
        self.herald_entries = self._gauge("herald_log_entries", "Deliveries remembered, settled ones included.")
        self.herald_owner = self._gauge("herald_owner", "1 while this herald is the one that delivers.")
        self.herald_fenced = self._counter("herald_fenced", "Times this herald saw that another had taken over.")
        self.herald_confirmed_age = self._gauge(
            "herald_confirmed_age_seconds", "Time since Kafka last confirmed that nobody has taken over; 0: not owner."
        )

        # --- every worker ------------------------------------------------------------------------------------------
        # reason: a Reason, or unknown where a letter does not name one.
        self.dead_letters = self._counter("dead_letters", "Dead letters seen by this worker.", "reason")
        self.lag = self._gauge(
            "consumer_lag", "Records between the group's position and the end.", "group", "topic", "partition"
        )
        self.watchdog_age = self._gauge(
            "watchdog_age_seconds", "Time since a stage last made progress or had no lag.", "stage"
        )
        self.stage_failures = self._counter("stage_failures", "Times that a stage failed and was begun anew.", "stage")
        self.ready = self._gauge("stage_ready", "1 while the stage has its partitions and follows them.", "stage")

    def is_ready(self, stage: str) -> bool:
        """Return whether a stage of this process has its partitions and follows them."""
        return self.registry.get_sample_value("isonomy_stage_ready", {"stage": stage}) == 1.0

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"isonomy_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"isonomy_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"isonomy_{name}", text, labels, buckets=buckets, registry=self.registry)
