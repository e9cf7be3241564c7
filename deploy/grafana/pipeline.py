"""*Pipeline*: do votes flow, how fresh are the boards, what is refused, is every stage alive?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.frame import arena_variable, frame
from deploy.grafana.kit import AMBER, BLUE, GREEN, RED, Query, lines, number, states

_ARENA = 'arena=~"$arena"'
_OURS = 'job=~"isonomy-.+"'
_RATE = "$__rate_interval"
_WORKERS = "isonomy_stage_ready"
"""A metric that every scraped worker exports: without it, nothing is known about workers."""


def _quantile(quantile: float, metric: str, by: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le{by}) (rate({metric}_bucket[{_RATE}])))"


def _grew(metric: str) -> Query:
    """Increase of a fold's counter within the rate interval."""
    return Query(_increase(metric), metric.removeprefix("isonomy_fold_")[: -len("_total")])


def _increase(metric: str) -> str:
    """Increase of a worker's counter; a counter without a series has never moved: 0 while workers are scraped."""
    return f"sum(increase({metric}[{_RATE}])) or 0 * count({_WORKERS})"


def pipeline() -> dashboard.Dashboard:
    """Make the dashboard."""
    made = frame(
        "pipeline",
        "Isonomy / Pipeline",
        "From the gateway to the boards: throughput, lag, freshness, errors, dead letters, watchdogs.",
        "now-1h",
        arena_variable(several=True),
    )
    for panel in (
        number(
            "Votes accepted",
            "How many votes a second does the gateway take?",
            Query(f'sum(rate(isonomy_gateway_votes_total{{outcome="accepted"}}[{_RATE}]))'),
            unit="cps",
        ),
        number(
            "Votes counted",
            "How many votes a second does intake write to the ledger?",
            Query(f'sum(rate(isonomy_intake_votes_total{{outcome="counted"}}[{_RATE}]))'),
            unit="cps",
        ),
        number(
            "Freshness, p99",
            "How long until a vote is on its board, for 99 of 100?",
            Query(f"max(isonomy:ratings_freshness_seconds:p99_5m{{{_ARENA}}})"),
            unit="s",
            steps=((None, GREEN), (1, AMBER), (5, RED)),
            decimals=2,
        ),
        number(
            "Lag",
            "How many records are not read yet, over all groups?",
            Query("sum(max by (group, topic, partition) (isonomy_consumer_lag))"),
            steps=((None, GREEN), (10_000, AMBER), (100_000, RED)),
        ),
        number(
            "Refused",
            "Which part of the votes goes to the dead letters?",
            Query("isonomy:intake_refused:ratio_10m"),
            unit="percentunit",
            steps=((None, GREEN), (0.01, AMBER), (0.25, RED)),
            decimals=2,
        ),
        number(
            "Oldest watchdog",
            "For how long has a stage with records to read stood still? At 60 s its process ends.",
            Query("max(isonomy_watchdog_age_seconds)"),
            unit="s",
            steps=((None, GREEN), (15, AMBER), (30, RED)),
        ),
        number(
            "Stages not ready",
            "How many stages of how many workers wait for partitions, or for Redis?",
            Query(f"count({_WORKERS} == 0) or 0 * count({_WORKERS})"),
            steps=((None, GREEN), (1, RED)),
        ),
        number(
            "Processes down",
            "How many of our processes do not answer?",
            Query(f"count(up{{{_OURS}}} == 0) or 0 * count(up{{{_OURS}}})"),
            steps=((None, GREEN), (1, RED)),
        ),
    ):
        made.with_panel(panel)

    made.with_row(dashboard.Row("Throughput"))
    for curves in (
        lines(
            "Gateway: votes by outcome",
            "What becomes of what senders send?",
            Query(f"sum by (outcome) (rate(isonomy_gateway_votes_total[{_RATE}]))", "{{outcome}}"),
            unit="cps",
            stacked=True,
        ),
        lines(
            "Intake: votes by outcome",
            "What becomes of what stands in the topic? Anything but counted and duplicate is a dead letter.",
            Query(f"sum by (outcome) (rate(isonomy_intake_votes_total[{_RATE}]))", "{{outcome}}"),
            unit="cps",
            stacked=True,
        ),
        lines(
            "Ratings: votes folded",
            "How fast does each arena's board count?",
            Query(f"sum by (arena) (rate(isonomy_ratings_votes_total{{{_ARENA}}}[{_RATE}]))", "{{arena}}"),
            unit="cps",
            stacked=True,
        ),
    ):
        made.with_panel(curves)

    made.with_row(dashboard.Row("Lag and freshness"))
    for curves in (
        lines(
            "Lag by group",
            "Who is behind, and does it catch up? Of the folds, a record is a block of up to thousands of votes.",
            Query("sum by (group) (max by (group, topic, partition) (isonomy_consumer_lag))", "{{group}}"),
        ),
        lines(
            "Freshness",
            "From a vote's arrival at the broker to its board: the middle, and 99 of 100.",
            Query(f"max(isonomy:ratings_freshness_seconds:p50_5m{{{_ARENA}}})", "p50"),
            Query(f"max(isonomy:ratings_freshness_seconds:p99_5m{{{_ARENA}}})", "p99"),
            unit="s",
        ),
        lines(
            "Refreshing the boards",
            "How long does it take to solve and publish what changed?",
            Query(_quantile(0.5, "isonomy_ratings_refresh_seconds", ""), "p50"),
            Query(_quantile(0.99, "isonomy_ratings_refresh_seconds", ""), "p99"),
            unit="s",
        ),
    ):
        made.with_panel(curves)

    made.with_row(dashboard.Row("Errors and dead letters"))
    for curves in (
        lines(
            "Gateway: answers",
            "503: Kafka does not acknowledge. 4xx: senders. 500: ours.",
            Query(f'sum by (status) (rate(isonomy_gateway_requests_total{{route=~"/v1/.+"}}[{_RATE}]))', "{{status}}"),
            unit="reqps",
            stacked=True,
            span=6,
        ),
        lines(
            "Gateway: time to answer, p99",
            "How long do senders wait for Kafka's acknowledgement?",
            Query('isonomy:gateway_request_seconds:p99_5m{route=~"/v1/.+"}', "{{route}}"),
            unit="s",
            span=6,
        ),
        lines(
            "Dead letters by reason",
            "Why are records refused?",
            Query(f"sum by (reason) (rate(isonomy_dead_letters_total[{_RATE}]))", "{{reason}}"),
            unit="cps",
            stacked=True,
            span=6,
        ),
        lines(
            "Board: answers",
            "What do readers get? 503: nothing was ever read from Redis.",
            Query(f'sum by (status) (rate(isonomy_board_requests_total{{route=~"/v1/.+"}}[{_RATE}]))', "{{status}}"),
            unit="reqps",
            stacked=True,
            span=6,
        ),
    ):
        made.with_panel(curves)

    made.with_row(dashboard.Row("Watchdogs and exactly once"))
    made.with_panel(
        states(
            "Stages",
            "Which stage of which worker has its partitions and follows them?",
            Query("min by (stage, instance) (isonomy_stage_ready)", "{{stage}} {{instance}}"),
            mappings={"1": ("ready", GREEN), "0": ("not ready", RED)},
            span=6,
        )
    )
    for curves in (
        lines(
            "Watchdogs",
            "For how long has a stage had records to read and made no progress?",
            Query("max by (stage) (isonomy_watchdog_age_seconds)", "{{stage}}"),
            unit="s",
            span=6,
        ),
        lines(
            "Recoveries",
            "Folds from the start of the ledger, writes refused to a former owner, views that Redis had lost.",
            _grew("isonomy_fold_refolds_total"),
            _grew("isonomy_fold_fenced_total"),
            _grew("isonomy_fold_republished_total"),
            span=6,
        ),
        lines(
            "State saved",
            "How large is the state of each fold, from which a restart goes on?",
            Query("sum by (stage) (max by (stage, arena) (isonomy_fold_snapshot_bytes))", "{{stage}}"),
            unit="bytes",
            span=6,
        ),
    ):
        made.with_panel(curves)

    made.with_row(dashboard.Row("What a person has to look at"))
    for curves in (
        lines(
            "Records gone",
            "What did the log lose: records that intake never took, and ids that it no longer knows?",
            Query("max by (topic, partition) (isonomy_intake_records_gone)", "never taken, {{topic}}/{{partition}}"),
            Query("max by (partition) (isonomy_intake_dedup_records_missing)", "ids, votes/{{partition}}"),
            span=6,
        ),
        lines(
            "Arenas stopped",
            "Which fold cannot go on with how many arenas?",
            # Only stopped arenas have a series.
            Query(
                "sum by (stage) (max by (stage, arena) (isonomy_fold_arena_stopped))"
                ' or 0 * max by (stage) (isonomy_stage_ready{stage=~"ratings|fairness"})',
                "{{stage}}",
            ),
            span=6,
        ),
        lines(
            "Stages begun anew",
            "Which stages fail, while the others of their worker go on?",
            Query(f"sum by (stage) (increase(isonomy_stage_failures_total[{_RATE}]))", "{{stage}}"),
            span=6,
        ),
        lines(
            "Reading the log",
            "Batches that nobody can read, and commits of intake's group that are not its own.",
            Query(_increase("isonomy_intake_unreadable_batches_total"), "unreadable batches"),
            Query(_increase("isonomy_intake_foreign_commits_total"), "commits not ours"),
            span=6,
        ),
    ):
        made.with_panel(curves)

    made.with_row(dashboard.Row("Processes"))
    for curves in (
        lines(
            "Processor time",
            "How many cores does each sort of process take?",
            Query(f"sum by (job) (rate(process_cpu_seconds_total{{{_OURS}}}[{_RATE}]))", "{{job}}"),
            span=6,
        ),
        lines(
            "Memory",
            "How much memory does each sort of process hold?",
            Query(f"sum by (job) (process_resident_memory_bytes{{{_OURS}}})", "{{job}}"),
            unit="bytes",
            span=6,
        ),
        lines(
            "Time since the start",
            "Who was restarted?",
            Query(f"time() - process_start_time_seconds{{{_OURS}}}", "{{instance}}"),
            unit="s",
            span=6,
        ),
        lines(
            "Readers of the live page",
            "How many streams of events are open, and how old may be what they see?",
            Query("sum(isonomy_board_clients)", "open streams"),
            Query("max(isonomy_board_age_seconds)", "seconds behind Redis"),
            dashed={"seconds behind Redis": RED, "open streams": BLUE},
            span=6,
        ),
    ):
        made.with_panel(curves)
    return made
