"""The recording rules: expressions used by several panels and alerts, or expensive to compute."""

from __future__ import annotations

from deploy.prometheus.rule import Recording


def _quantile(name: str, metric: str, quantile: float, window: str, by: str) -> Recording:
    inner = f"sum by (le, {by}) (rate({metric}_bucket[{window}]))"
    return Recording(name, f"histogram_quantile({quantile}, {inner})")


RECORDINGS = (
    _quantile("isonomy:ratings_freshness_seconds:p50_5m", "isonomy_ratings_freshness_seconds", 0.5, "5m", "arena"),
    _quantile("isonomy:ratings_freshness_seconds:p99_5m", "isonomy_ratings_freshness_seconds", 0.99, "5m", "arena"),
    _quantile("isonomy:gateway_request_seconds:p99_5m", "isonomy_gateway_request_seconds", 0.99, "5m", "route"),
    _quantile("isonomy:board_request_seconds:p99_5m", "isonomy_board_request_seconds", 0.99, "5m", "route"),
    _quantile("isonomy:herald_delivery_seconds:p90_15m", "isonomy_herald_delivery_seconds", 0.9, "15m", "channel"),
    Recording(
        "isonomy:intake_refused:ratio_10m",
        'sum(rate(isonomy_intake_votes_total{outcome!~"counted|duplicate"}[10m]))'
        " / sum(rate(isonomy_intake_votes_total[10m]))",
    ),
    # Every board process exports the same series: take their maximum, not their sum.
    Recording(
        "isonomy:model_rank:changes_1h",
        "sum by (arena) (max by (arena, model) (changes(isonomy_model_rank[1h])))",
    ),
    Recording(
        "isonomy:arena_votes:rate_5m",
        "max by (arena) (rate(isonomy_arena_votes_total[5m]))",
    ),
)
