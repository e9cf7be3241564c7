"""Alerts about deliveries: do subscribers receive their alerts?

A single unreachable endpoint is its owner's problem: the herald retries for 17 hours, and the operator is not paged.
"""

from __future__ import annotations

from deploy.prometheus.rule import CRITICAL, WARNING, Alert, Story, grew

_FAILED = 'outcome!="delivered"'

DELIVERIES = (
    Alert(
        name="HeraldUnowned",
        expr="max(isonomy_herald_owner) == 0",
        severity=CRITICAL,
        wait="5m",
        summary="No herald delivers: none of them could make sure that it is the only one, or Kafka is away.",
        fires=Story(
            {
                'isonomy_herald_owner{instance="a"}': "1x3 0x17",
                'isonomy_herald_owner{instance="b"}': "0x20",
            },
            "12m",
            (({}, "No herald delivers: none of them could make sure that it is the only one, or Kafka is away."),),
        ),
        # One herald delivers, the other stands by.
        quiet=Story(
            {'isonomy_herald_owner{instance="a"}': "1x20", 'isonomy_herald_owner{instance="b"}': "0x20"}, "12m"
        ),
    ),
    Alert(
        name="DeliveriesFailing",
        expr=f"sum by (channel) (rate(isonomy_herald_attempts_total{{{_FAILED}}}[15m]))"
        " / sum by (channel) (rate(isonomy_herald_attempts_total[15m])) > 0.5"
        f" and sum by (channel) (increase(isonomy_herald_attempts_total{{{_FAILED}}}[15m])) > 10",
        severity=WARNING,
        wait="10m",
        summary="{{ $value | humanizePercentage }} of the attempts over {{ $labels.channel }} fail.",
        fires=Story(
            {
                'isonomy_herald_attempts_total{channel="webhook",outcome="delivered"}': "0+1x40",
                'isonomy_herald_attempts_total{channel="webhook",outcome="unreachable"}': "0+3x40",
            },
            "35m",
            (({"channel": "webhook"}, "75% of the attempts over webhook fail."),),
        ),
        # One endpoint of many is away.
        quiet=Story(
            {
                'isonomy_herald_attempts_total{channel="webhook",outcome="delivered"}': "0+9x40",
                'isonomy_herald_attempts_total{channel="webhook",outcome="unreachable"}': "0+1x40",
            },
            "35m",
        ),
    ),
    Alert(
        name="DeliveriesSlow",
        expr="isonomy:herald_delivery_seconds:p90_15m > 60",
        severity=WARNING,
        wait="10m",
        summary="One delivery in ten over {{ $labels.channel }} takes {{ $value | humanizeDuration }} or longer.",
        fires=Story(
            {
                'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="60.0"}': "0+8x40",
                'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="600.0"}': "0+10x40",
                'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="+Inf"}': "0+10x40",
            },
            "35m",
            (({"channel": "webhook"}, "One delivery in ten over webhook takes 5m 30s or longer."),),
        ),
        quiet=Story(
            {
                'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="60.0"}': "0+10x40",
                'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="600.0"}': "0+10x40",
                'isonomy_herald_delivery_seconds_bucket{channel="webhook",le="+Inf"}': "0+10x40",
            },
            "35m",
        ),
    ),
    Alert(
        name="DeliveryQueueOld",
        expr="isonomy_herald_oldest_pending_seconds > 14400",
        severity=WARNING,
        wait="15m",
        summary="The oldest delivery that is still owed is {{ $value | humanizeDuration }} old.",
        fires=Story(
            {'isonomy_herald_oldest_pending_seconds{job="isonomy-herald",instance="h"}': "18000+60x40"},
            "30m",
            (({"job": "isonomy-herald", "instance": "h"}, "The oldest delivery that is still owed is 5h 30m 0s old."),),
        ),
        # Still within the first retries.
        quiet=Story({'isonomy_herald_oldest_pending_seconds{job="isonomy-herald",instance="h"}': "0+60x40"}, "30m"),
    ),
    Alert(
        name="DeliveriesLost",
        expr="sum by (channel) (" + grew('isonomy_herald_deliveries_total{state="dead"}', "1h") + ")",
        severity=WARNING,
        wait="0s",
        summary="Deliveries over {{ $labels.channel }} were given up after the last retry; they can be replayed.",
        fires=Story(
            {'isonomy_herald_deliveries_total{channel="webhook",state="dead"}': "_x10 3x30"},
            "20m",
            (
                (
                    {"channel": "webhook"},
                    "Deliveries over webhook were given up after the last retry; they can be replayed.",
                ),
            ),
        ),
        quiet=Story(
            {
                'isonomy_herald_deliveries_total{channel="webhook",state="dead"}': "3x120",
                'isonomy_herald_deliveries_total{channel="webhook",state="delivered"}': "0+5x120",
            },
            "90m",
        ),
    ),
)
