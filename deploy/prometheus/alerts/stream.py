"""Alerts about the workers: do the stages run, do they keep up, do they publish what they fold?"""

from __future__ import annotations

from deploy.prometheus.rule import CRITICAL, WARNING, Alert, Story, grew

_WORKER = 'instance="w:8082",job="isonomy-worker"'


def _unserved(stage: str) -> str:
    return f'label_replace(absent(isonomy_stage_ready{{stage="{stage}"}} == 1), "stage", "{stage}", "", "")'


STREAM = (
    Alert(
        name="StageUnserved",
        expr=" or ".join(map(_unserved, ("intake", "ratings", "fairness"))),
        severity=CRITICAL,
        wait="5m",
        summary="No worker is ready for {{ $labels.stage }}: nothing of it goes on.",
        fires=Story(
            {
                'isonomy_stage_ready{stage="intake"}': "1x20",
                'isonomy_stage_ready{stage="ratings"}': "1x4 0x16",
                'isonomy_stage_ready{stage="fairness"}': "1x20",
            },
            "15m",
            (({"stage": "ratings"}, "No worker is ready for ratings: nothing of it goes on."),),
        ),
        quiet=Story(
            {
                'isonomy_stage_ready{stage="intake",instance="a"}': "0x20",
                'isonomy_stage_ready{stage="intake",instance="b"}': "1x20",
                'isonomy_stage_ready{stage="ratings"}': "1x20",
                'isonomy_stage_ready{stage="fairness"}': "1x20",
            },
            "15m",
        ),
    ),
    Alert(
        name="StageNotReady",
        expr="isonomy_stage_ready == 0",
        severity=WARNING,
        wait="10m",
        summary="{{ $labels.stage }} of {{ $labels.instance }} has not been ready for ten minutes.",
        fires=Story(
            {f'isonomy_stage_ready{{stage="intake",{_WORKER}}}': "1 0x30"},
            "15m",
            (
                (
                    {"stage": "intake", "instance": "w:8082", "job": "isonomy-worker"},
                    "intake of w:8082 has not been ready for ten minutes.",
                ),
            ),
        ),
        # Two rebalances in a row.
        quiet=Story({f'isonomy_stage_ready{{stage="intake",{_WORKER}}}': "0x5 1 0x5 1 0x5"}, "15m"),
    ),
    Alert(
        name="ConsumerLagGrows",
        expr="max by (group, topic, partition)"
        " (min_over_time(isonomy_consumer_lag[10m]) > 1000 and deriv(isonomy_consumer_lag[10m]) > 0)",
        severity=WARNING,
        wait="5m",
        summary="{{ $labels.group }} is {{ $value }} records behind in partition {{ $labels.partition }} of"
        " {{ $labels.topic }}, and falls further behind.",
        fires=Story(
            {f'isonomy_consumer_lag{{group="intake",topic="votes",partition="3",{_WORKER}}}': "1100+100x40"},
            "20m",
            (
                (
                    {"group": "intake", "topic": "votes", "partition": "3"},
                    "intake is 2100 records behind in partition 3 of votes, and falls further behind.",
                ),
            ),
        ),
        # A large lag that is shrinking.
        quiet=Story(
            {f'isonomy_consumer_lag{{group="intake",topic="votes",partition="3",{_WORKER}}}': "900000-1000x40"}, "20m"
        ),
    ),
    Alert(
        name="StageStuck",
        expr="max by (stage, instance) (max_over_time(isonomy_watchdog_age_seconds[5m])) > 30",
        severity=WARNING,
        wait="0s",
        summary="{{ $labels.stage }} of {{ $labels.instance }} had records to read and made no progress for"
        " {{ $value | humanizeDuration }}.",
        fires=Story(
            {f'isonomy_watchdog_age_seconds{{stage="fairness",{_WORKER}}}': "0x5 45 0x20"},
            "8m",
            (
                (
                    {"stage": "fairness", "instance": "w:8082"},
                    "fairness of w:8082 had records to read and made no progress for 45s.",
                ),
            ),
        ),
        quiet=Story({f'isonomy_watchdog_age_seconds{{stage="fairness",{_WORKER}}}': "0x5 12 0x20"}, "8m"),
    ),
    Alert(
        name="FreshnessSlow",
        expr="isonomy:ratings_freshness_seconds:p99_5m > 1",
        severity=WARNING,
        wait="10m",
        summary="One vote in a hundred takes {{ $value | humanizeDuration }} or longer to get onto the boards of arena"
        " {{ $labels.arena }}.",
        fires=Story(
            {
                'isonomy_ratings_freshness_seconds_bucket{arena="text",le="1.0"}': "0+50x30",
                'isonomy_ratings_freshness_seconds_bucket{arena="text",le="2.5"}': "0+100x30",
                'isonomy_ratings_freshness_seconds_bucket{arena="text",le="+Inf"}': "0+100x30",
            },
            "20m",
            (
                (
                    {"arena": "text"},
                    "One vote in a hundred takes 2.47s or longer to get onto the boards of arena text.",
                ),
            ),
        ),
        # Slow for five minutes, after a restart.
        quiet=Story(
            {
                'isonomy_ratings_freshness_seconds_bucket{arena="text",le="1.0"}': "0x5 50+100x25",
                'isonomy_ratings_freshness_seconds_bucket{arena="text",le="2.5"}': "0+100x30",
                'isonomy_ratings_freshness_seconds_bucket{arena="text",le="+Inf"}': "0+100x30",
            },
            "14m",
        ),
    ),
    Alert(
        name="BoardsNotPublished",
        expr="sum by (arena) (rate(isonomy_ratings_votes_total[5m])) > 0"
        " unless sum by (arena) (rate(isonomy_ratings_freshness_seconds_count[5m])) > 0",
        severity=CRITICAL,
        wait="10m",
        summary="Votes of arena {{ $labels.arena }} are folded, and no board of it has been published for a quarter of"
        " an hour: Redis is away, or refuses.",
        fires=Story(
            {
                'isonomy_ratings_votes_total{arena="text"}': "0+60x30",
                'isonomy_ratings_freshness_seconds_count{arena="text"}': "0+4x3 12x27",
            },
            "25m",
            (
                (
                    {"arena": "text"},
                    "Votes of arena text are folded, and no board of it has been published for a quarter of an hour:"
                    " Redis is away, or refuses.",
                ),
            ),
        ),
        # A refold delays the boards for some minutes.
        quiet=Story(
            {
                'isonomy_ratings_votes_total{arena="text"}': "0+90000x5 450000+60x25",
                'isonomy_ratings_freshness_seconds_count{arena="text"}': "0x8 0+4x22",
            },
            "25m",
        ),
    ),
    Alert(
        name="RedisAway",
        expr="max by (stage, cause) (isonomy_redis_away) == 1",
        severity=CRITICAL,
        wait="2m",
        summary="{{ $labels.stage }} has been waiting for Redis for two minutes: {{ $labels.cause }}. Nothing of it is"
        " published.",
        fires=Story(
            {
                f'isonomy_redis_away{{stage="ratings",cause="full",{_WORKER}}}': "0x5 1x20",
                f'isonomy_redis_away{{stage="ratings",cause="unreachable",{_WORKER}}}': "0x25",
            },
            "12m",
            (
                (
                    {"stage": "ratings", "cause": "full"},
                    "ratings has been waiting for Redis for two minutes: full. Nothing of it is published.",
                ),
            ),
        ),
        # Redis restarts twice.
        quiet=Story(
            {
                f'isonomy_redis_away{{stage="ratings",cause="unreachable",{_WORKER}}}': "0x3 1 0x3 1x2 0x15",
                f'isonomy_redis_away{{stage="ratings",cause="loading",{_WORKER}}}': "0x4 1 0x20",
            },
            "9m",
        ),
    ),
    Alert(
        name="VotesUnrated",
        expr="max by (arena) (isonomy_ratings_votes_unrated) > 0 and max by (arena)"
        " (delta(isonomy_ratings_votes_unrated[30m])) > 0",
        severity=WARNING,
        wait="0s",
        summary="Arena {{ $labels.arena }} has more models than a board may hold: {{ $value }} votes are on none.",
        fires=Story(
            {f'isonomy_ratings_votes_unrated{{arena="text",{_WORKER}}}': "0x10 0+5x20"},
            "20m",
            (({"arena": "text"}, "Arena text has more models than a board may hold: 45 votes are on none."),),
        ),
        # An old number that does not grow.
        quiet=Story({f'isonomy_ratings_votes_unrated{{arena="text",{_WORKER}}}': "45x60"}, "50m"),
    ),
    Alert(
        name="FoldStopped",
        expr="max by (stage, arena) (isonomy_fold_arena_stopped) == 1",
        severity=CRITICAL,
        wait="0s",
        summary="{{ $labels.stage }} cannot go on with {{ $labels.arena }} and has stopped it; the others go on.",
        fires=Story(
            {f'isonomy_fold_arena_stopped{{stage="ratings",arena="text",{_WORKER}}}': "0x5 1x20"},
            "10m",
            (
                (
                    {"stage": "ratings", "arena": "text"},
                    "ratings cannot go on with text and has stopped it; the others go on.",
                ),
            ),
        ),
        # The arena's next owner could fold it.
        quiet=Story({f'isonomy_fold_arena_stopped{{stage="ratings",arena="text",{_WORKER}}}': "1x5 0x20"}, "10m"),
    ),
    Alert(
        name="StageFails",
        expr="increase(isonomy_stage_failures_total[15m]) >= 3",
        severity=WARNING,
        wait="0s",
        summary="{{ $labels.stage }} of {{ $labels.instance }} failed {{ $value | printf `%.0f` }} times in a quarter"
        " of an hour, and is begun anew each time.",
        fires=Story(
            {f'isonomy_stage_failures_total{{stage="ratings",{_WORKER}}}': "0x5 1 2 3 4 4x20"},
            "16m",
            (
                (
                    {"stage": "ratings", "instance": "w:8082", "job": "isonomy-worker"},
                    "ratings of w:8082 failed 4 times in a quarter of an hour, and is begun anew each time.",
                ),
            ),
        ),
        # Two failures, as after a Kafka outage.
        quiet=Story({f'isonomy_stage_failures_total{{stage="ratings",{_WORKER}}}': "0x5 1 2 2x20"}, "16m"),
    ),
    Alert(
        name="FoldRefolded",
        expr=f"sum by (stage, cause) ({grew('isonomy_fold_refolds_total', '1h')})",
        severity=WARNING,
        wait="0s",
        summary="{{ $labels.stage }} found its state {{ $labels.cause }} and folded the ledger from the start.",
        # The series starts with its first count, an increase that rate() and increase() miss.
        fires=Story(
            {f'isonomy_fold_refolds_total{{stage="ratings",cause="damaged",{_WORKER}}}': "_x10 1x30"},
            "20m",
            (
                (
                    {"stage": "ratings", "cause": "damaged"},
                    "ratings found its state damaged and folded the ledger from the start.",
                ),
            ),
        ),
        quiet=Story({f'isonomy_fold_refolds_total{{stage="ratings",cause="damaged",{_WORKER}}}': "1x120"}, "90m"),
    ),
    Alert(
        name="FoldFenced",
        expr=f"sum by (stage, arena) ({grew('isonomy_fold_fenced_total', '1h')})",
        severity=WARNING,
        wait="0s",
        summary="A worker of {{ $labels.stage }} found that another owns arena {{ $labels.arena }}, and left.",
        fires=Story(
            {f'isonomy_fold_fenced_total{{stage="ratings",arena="text",{_WORKER}}}': "_x10 1x30"},
            "20m",
            (
                (
                    {"stage": "ratings", "arena": "text"},
                    "A worker of ratings found that another owns arena text, and left.",
                ),
            ),
        ),
        quiet=Story({f'isonomy_fold_fenced_total{{stage="ratings",arena="text",{_WORKER}}}': "2x120"}, "90m"),
    ),
    Alert(
        name="RedisLostData",
        expr=f"sum by (stage, arena) ({grew('isonomy_fold_republished_total', '1h')})",
        severity=WARNING,
        wait="0s",
        summary="Redis had lost what {{ $labels.stage }} keeps of arena {{ $labels.arena }}; it was written again.",
        fires=Story(
            {f'isonomy_fold_republished_total{{stage="fairness",arena="text",{_WORKER}}}': "0x10 1x30"},
            "20m",
            (
                (
                    {"stage": "fairness", "arena": "text"},
                    "Redis had lost what fairness keeps of arena text; it was written again.",
                ),
            ),
        ),
        quiet=Story({f'isonomy_fold_republished_total{{stage="fairness",arena="text",{_WORKER}}}': "1x120"}, "90m"),
    ),
)
