"""*Deliveries*: do subscribers receive their alerts, how soon, and what fails?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.frame import frame
from deploy.grafana.kit import AMBER, GREEN, RED, Query, lines, number

_RATE = "$__rate_interval"


def _happened(metric: str, by: str) -> str:
    """Rates of series above 0: the herald exports every outcome and channel from its start, as 0."""
    return f"sum by ({by}) (rate({metric}[{_RATE}])) and sum by ({by}) ({metric}) > 0"


def _quantile(quantile: float, metric: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le, channel) (rate({metric}_bucket[{_RATE}])))"


def deliveries() -> dashboard.Dashboard:
    """Make the dashboard."""
    made = frame(
        "deliveries",
        "Isonomy / Deliveries",
        "What the herald does with alerts. One herald delivers at a time; the others wait.",
        "now-6h",
    )
    for panel in (
        number("Owed", "How many deliveries are to be made?", Query("sum(isonomy_herald_pending)"), span=4),
        number(
            "Oldest owed",
            "How old is the oldest of them? A dead endpoint is retried for 17 hours.",
            Query("max(isonomy_herald_oldest_pending_seconds)"),
            unit="s",
            steps=((None, GREEN), (900, AMBER), (14_400, RED)),
            span=4,
        ),
        number(
            "Time to deliver, p90",
            "How soon does an endpoint have an alert, for 9 of 10?",
            Query("max(isonomy:herald_delivery_seconds:p90_15m)"),
            unit="s",
            steps=((None, GREEN), (10, AMBER), (60, RED)),
            decimals=2,
            span=4,
        ),
        number(
            "Held",
            "How many wait for a disabled subscription, or for their firing?",
            Query("sum(isonomy_herald_held)"),
            span=4,
        ),
        number(
            "Subscriptions",
            "How many are active?",
            Query('sum(isonomy_herald_subscriptions{status="active"})'),
            span=4,
        ),
        number(
            "Heralds that deliver",
            "Is there exactly one?",
            Query("sum(isonomy_herald_owner)"),
            steps=((None, RED), (1, GREEN), (2, RED)),
            span=4,
        ),
    ):
        made.with_panel(panel)
    for curves in (
        lines(
            "Attempts by outcome",
            "What came of each message that was sent?",
            Query(_happened("isonomy_herald_attempts_total", "outcome"), "{{outcome}}"),
            unit="cps",
            stacked=True,
        ),
        lines(
            "Deliveries settled",
            "Which came to their end, and how? Dead: given up after the last retry.",
            Query(_happened("isonomy_herald_deliveries_total", "channel, state"), "{{channel}} {{state}}"),
            unit="cps",
            stacked=True,
        ),
        lines(
            "Alerts read",
            "What did the topic of alerts say? Stale: a replay of what is over.",
            Query(f"sum by (what) (rate(isonomy_herald_alerts_total[{_RATE}]))", "{{what}}"),
            unit="cps",
            stacked=True,
        ),
        lines(
            "From record to acknowledgement",
            "How long until the endpoint has it, by channel?",
            Query(_quantile(0.5, "isonomy_herald_delivery_seconds"), "{{channel}} p50"),
            Query(_quantile(0.9, "isonomy_herald_delivery_seconds"), "{{channel}} p90"),
            unit="s",
        ),
        lines(
            "Time of an attempt, p90",
            "Are endpoints slow?",
            Query(_quantile(0.9, "isonomy_herald_attempt_seconds"), "{{channel}}"),
            unit="s",
        ),
        lines(
            "The queue",
            "Does what is owed grow, and is it old?",
            Query("sum by (channel) (isonomy_herald_pending)", "{{channel}} owed"),
            Query("sum(isonomy_herald_attempts_under_way)", "under way"),
        ),
        lines(
            "Alertmanagers told again",
            "Do the posts that keep an alert firing there get through?",
            Query(f"sum by (outcome) (rate(isonomy_herald_resends_total[{_RATE}]))", "{{outcome}}"),
            unit="cps",
        ),
        lines(
            "Ownership",
            "When did Kafka last confirm that nobody has taken over, and did somebody?",
            Query("max(isonomy_herald_confirmed_age_seconds)", "seconds since confirmed"),
            Query(f"sum(increase(isonomy_herald_fenced_total[{_RATE}]))", "taken over"),
        ),
        lines(
            "What is remembered",
            "How many deliveries does the log hold, settled ones included?",
            Query("max(isonomy_herald_log_entries)", "deliveries"),
        ),
    ):
        made.with_panel(curves)
    return made
