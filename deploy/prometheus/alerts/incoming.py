"""Alerts about incoming records: does intake accept them, does the gateway answer, what is refused?"""

from __future__ import annotations

from deploy.prometheus.rule import CRITICAL, WARNING, Alert, Story

_REFUSED = 'outcome!~"counted|duplicate"'
_V1 = 'route=~"/v1/.+"'
_FAULTS = f'{_V1},status=~"5..",status!="503"'


def _share(metric: str, some: str, of: str, window: str) -> str:
    return f"sum(rate({metric}{{{some}}}[{window}])) / sum(rate({metric}{{{of}}}[{window}]))"


INCOMING = (
    Alert(
        name="IntakeStopped",
        expr='sum(rate(isonomy_gateway_votes_total{outcome="accepted"}[5m])) > 0'
        " unless sum(rate(isonomy_intake_votes_total[5m])) > 0",
        severity=CRITICAL,
        wait="5m",
        summary="The gateway accepts {{ $value | humanize }} votes a second, and intake takes none.",
        fires=Story(
            {
                'isonomy_gateway_votes_total{outcome="accepted"}': "0+600x30",
                'isonomy_intake_votes_total{outcome="counted"}': "0+600x5 3000x25",
            },
            "20m",
            (({}, "The gateway accepts 10 votes a second, and intake takes none."),),
        ),
        # Votes refused by the gateway never reach intake.
        quiet=Story(
            {
                'isonomy_gateway_votes_total{outcome="accepted"}': "500x30",
                'isonomy_gateway_votes_total{outcome="same_model"}': "0+60x30",
                'isonomy_intake_votes_total{outcome="counted"}': "500x30",
            },
            "20m",
        ),
    ),
    Alert(
        name="DeadLettersMany",
        expr=f"isonomy:intake_refused:ratio_10m > 0.01"
        f" and sum(increase(isonomy_intake_votes_total{{{_REFUSED}}}[10m])) > 10",
        severity=WARNING,
        wait="10m",
        summary="{{ $value | humanizePercentage }} of the votes cannot be used and go to the dead letters.",
        fires=Story(
            {
                'isonomy_intake_votes_total{outcome="counted"}': "0+950x40",
                'isonomy_intake_votes_total{outcome="unknown_winner"}': "0+50x40",
            },
            "30m",
            (({}, "5% of the votes cannot be used and go to the dead letters."),),
        ),
        # Three of six votes are refused.
        quiet=Story(
            {
                'isonomy_intake_votes_total{outcome="counted"}': "0x20 3x20",
                'isonomy_intake_votes_total{outcome="unknown_winner"}': "0x20 3x20",
                'isonomy_intake_votes_total{outcome="duplicate"}': "0+10x40",
            },
            "30m",
        ),
    ),
    Alert(
        name="ArenaRefused",
        expr="max by (arena) (isonomy_intake_arena_refused_ratio)",
        severity=CRITICAL,
        wait="0s",
        summary="Of the last votes of arena {{ $labels.arena }}, {{ $value | humanizePercentage }} cannot be used: its"
        " boards count the rest.",
        fires=Story(
            {
                'isonomy_intake_arena_refused_ratio{arena="text",partition="0"}': "_x5 0.75x20",
                'isonomy_intake_arena_refused_ratio{arena="text",partition="1"}': "_x5 0.5x20",
            },
            "10m",
            (
                (
                    {"arena": "text"},
                    "Of the last votes of arena text, 75% cannot be used: its boards count the rest.",
                ),
            ),
        ),
        # The series exists only while the ratio is too high.
        quiet=Story({'isonomy_intake_arena_refused_ratio{arena="text",partition="0"}': "0.75x4 stale _x20"}, "15m"),
    ),
    Alert(
        name="GatewayUnavailable",
        expr=_share("isonomy_gateway_requests_total", f'{_V1},status="503"', _V1, "5m") + " > 0.05",
        severity=CRITICAL,
        wait="2m",
        summary="The gateway answers {{ $value | humanizePercentage }} of the requests with 503: Kafka does not"
        " acknowledge.",
        fires=Story(
            {
                'isonomy_gateway_requests_total{route="/v1/votes",status="202"}': "0+60x5 300x25",
                'isonomy_gateway_requests_total{route="/v1/votes",status="503"}': "0x5 0+60x25",
            },
            "15m",
            (({}, "The gateway answers 100% of the requests with 503: Kafka does not acknowledge."),),
        ),
        # One error in a hundred requests, and a failing readiness probe.
        quiet=Story(
            {
                'isonomy_gateway_requests_total{route="/v1/votes",status="202"}': "0+99x30",
                'isonomy_gateway_requests_total{route="/v1/votes",status="503"}': "0+1x30",
                'isonomy_gateway_requests_total{route="/readyz",status="503"}': "0+60x30",
            },
            "15m",
        ),
    ),
    Alert(
        name="GatewayErrors",
        expr=_share("isonomy_gateway_requests_total", _FAULTS, _V1, "10m")
        + f" > 0.01 and sum(increase(isonomy_gateway_requests_total{{{_FAULTS}}}[10m])) > 5",
        severity=CRITICAL,
        wait="5m",
        summary="{{ $value | humanizePercentage }} of the requests to the gateway end in a fault of its own.",
        fires=Story(
            {
                'isonomy_gateway_requests_total{route="/v1/votes",status="202"}': "0+90x30",
                'isonomy_gateway_requests_total{route="/v1/votes",status="500"}': "0+10x30",
            },
            "20m",
            (({}, "10% of the requests to the gateway end in a fault of its own."),),
        ),
        # Errors caused by the clients.
        quiet=Story(
            {
                'isonomy_gateway_requests_total{route="/v1/votes",status="202"}': "0+90x30",
                'isonomy_gateway_requests_total{route="/v1/votes",status="400"}': "0+90x30",
                'isonomy_gateway_requests_total{route="/v1/votes",status="500"}': "0x10 2x20",
            },
            "20m",
        ),
    ),
    Alert(
        name="KeyQuarantined",
        expr="max by (key) (max_over_time(isonomy_gateway_key_quarantined[5m])) > 0",
        severity=WARNING,
        wait="10m",
        summary="The gateway takes nothing from key {{ $labels.key }}: almost everything that it sends is refused.",
        fires=Story(
            {
                'isonomy_gateway_key_quarantined{instance="a",key="arena-1"}': "0x5 1x25",
                'isonomy_gateway_key_quarantined{instance="b",key="arena-1"}': "0x30",
                'isonomy_gateway_key_quarantined{instance="a",key="arena-2"}': "0x30",
            },
            "20m",
            (
                (
                    {"key": "arena-1"},
                    "The gateway takes nothing from key arena-1: almost everything that it sends is refused.",
                ),
            ),
        ),
        # One quarantine, fixed since.
        quiet=Story({'isonomy_gateway_key_quarantined{instance="a",key="arena-1"}': "0x5 1 0x24"}, "15m"),
    ),
)
