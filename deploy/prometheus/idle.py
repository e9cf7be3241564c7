"""An idle arena: all series stay constant for hours, and no alert may fire."""

from __future__ import annotations

_ARENA = '{arena="quiet"}'
_AT = {
    "isonomy-worker": 'job="isonomy-worker",instance="w:8082"',
    "isonomy-gateway": 'job="isonomy-gateway",instance="g:8080"',
    "isonomy-board": 'job="isonomy-board",instance="b:8081"',
    "isonomy-herald": 'job="isonomy-herald",instance="h:8083"',
}

SERIES = {
    **{f"up{{{at}}}": "1x130" for at in _AT.values()},
    **{f"process_start_time_seconds{{{at}}}": "1000x130" for at in _AT.values()},
    **{f'isonomy_stage_ready{{stage="{stage}"}}': "1x130" for stage in ("intake", "ratings", "fairness")},
    **{f'isonomy_watchdog_age_seconds{{stage="{stage}"}}': "0x130" for stage in ("intake", "ratings", "fairness")},
    # A stale series left by a rebalance on a worker that lost the partition.
    'isonomy_consumer_lag{group="intake",topic="votes",partition="1"}': "5000x130",
    'isonomy_consumer_lag{group="intake",topic="votes",partition="0"}': "0x130",
    'isonomy_gateway_requests_total{route="/v1/votes",status="202"}': "900x130",
    'isonomy_gateway_requests_total{route="/v1/votes",status="500"}': "90x130",
    'isonomy_gateway_requests_total{route="/v1/votes",status="503"}': "90x130",
    'isonomy_gateway_votes_total{outcome="accepted"}': "900x130",
    'isonomy_intake_votes_total{outcome="counted"}': "450x130",
    'isonomy_intake_votes_total{outcome="unknown_winner"}': "450x130",
    f"isonomy_ratings_votes_total{_ARENA}": "900x130",
    f"isonomy_ratings_votes_unrated{_ARENA}": "7x130",
    f"isonomy_ratings_freshness_seconds_count{_ARENA}": "30x130",
    'isonomy_ratings_freshness_seconds_bucket{arena="quiet",le="1.0"}': "0x130",
    'isonomy_ratings_freshness_seconds_bucket{arena="quiet",le="+Inf"}': "30x130",
    'isonomy_fold_refolds_total{stage="ratings",cause="damaged"}': "1x130",
    'isonomy_fold_fenced_total{stage="ratings",arena="quiet"}': "1x130",
    'isonomy_fold_republished_total{stage="ratings",arena="quiet"}': "1x130",
    'isonomy_fold_arena_stopped{stage="ratings",arena="quiet"}': "0x130",
    'isonomy_stage_failures_total{stage="ratings"}': "5x130",
    'isonomy_intake_records_gone{topic="votes",partition="0"}': "0x130",
    'isonomy_intake_unreadable_batches_total{topic="votes"}': "2x130",
    "isonomy_intake_foreign_commits_total": "4x130",
    'isonomy_intake_dedup_records_missing{partition="0"}': "0x130",
    "isonomy_board_age_seconds": "0x130",
    'isonomy_board_requests_total{route="/v1/arenas",status="500"}': "50x130",
    "isonomy_herald_owner": "1x130",
    "isonomy_herald_oldest_pending_seconds": "0x130",
    'isonomy_herald_attempts_total{channel="webhook",outcome="unreachable"}': "50x130",
    'isonomy_herald_deliveries_total{channel="webhook",state="dead"}': "1x130",
    'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="60.0"}': "0x130",
    'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="+Inf"}': "9x130",
}
EVERY = ("130m",)
"""Evaluation times: later than twice the longest window of any rule."""
