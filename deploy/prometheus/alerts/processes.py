"""Alerts about processes: do they answer, do they keep running, does the board follow Redis?"""

from __future__ import annotations

from deploy.prometheus.rule import CRITICAL, WARNING, Alert, Story

# The only place that names scrape jobs: prometheus.yml and the chart name them isonomy-<process>.
_OURS = 'job=~"isonomy-.+"'
_FAULTS = 'route=~"/v1/.+",status=~"5.."'

PROCESSES = (
    Alert(
        name="ProcessesGone",
        expr=f"max by (job) (up{{{_OURS}}}) == 0",
        severity=CRITICAL,
        wait="3m",
        summary="Not one process of {{ $labels.job }} answers.",
        fires=Story(
            {
                'up{job="isonomy-board",instance="a"}': "1x3 0x17",
                'up{job="isonomy-board",instance="b"}': "0x20",
            },
            "10m",
            (({"job": "isonomy-board"}, "Not one process of isonomy-board answers."),),
        ),
        quiet=Story(
            {
                'up{job="isonomy-board",instance="a"}': "1x20",
                'up{job="isonomy-board",instance="b"}': "0x20",
                'up{job="node",instance="a"}': "0x20",
            },
            "10m",
        ),
    ),
    Alert(
        name="ProcessDown",
        expr=f"up{{{_OURS}}} == 0",
        severity=WARNING,
        wait="10m",
        summary="{{ $labels.instance }} of {{ $labels.job }} has not answered for ten minutes.",
        fires=Story(
            {'up{job="isonomy-worker",instance="w:8082"}': "1x3 0x27"},
            "20m",
            (
                (
                    {"job": "isonomy-worker", "instance": "w:8082"},
                    "w:8082 of isonomy-worker has not answered for ten minutes.",
                ),
            ),
        ),
        quiet=Story({'up{job="isonomy-worker",instance="w:8082"}': "1x3 0x8 1x19"}, "20m"),
    ),
    Alert(
        name="ProcessRestarts",
        expr=f"changes(process_start_time_seconds{{{_OURS}}}[30m]) > 2",
        severity=WARNING,
        wait="0s",
        summary="{{ $labels.instance }} of {{ $labels.job }} was started {{ $value }} times within half an hour.",
        fires=Story(
            {'process_start_time_seconds{job="isonomy-worker",instance="w:8082"}': "0x5 300x5 600x5 900x5 900x20"},
            "25m",
            (
                (
                    {"job": "isonomy-worker", "instance": "w:8082"},
                    "w:8082 of isonomy-worker was started 3 times within half an hour.",
                ),
            ),
        ),
        # A deployment.
        quiet=Story({'process_start_time_seconds{job="isonomy-worker",instance="w:8082"}': "0x5 300x40"}, "25m"),
    ),
    Alert(
        name="BoardStreamGone",
        expr="isonomy_board_age_seconds > 30",
        severity=CRITICAL,
        wait="2m",
        summary="The board {{ $labels.instance }} has not been able to follow Redis for"
        " {{ $value | humanizeDuration }}: readers see old numbers.",
        fires=Story(
            {'isonomy_board_age_seconds{job="isonomy-board",instance="b:8081"}': "0x3 0+60x20"},
            "10m",
            (
                (
                    {"job": "isonomy-board", "instance": "b:8081"},
                    "The board b:8081 has not been able to follow Redis for 6m 0s: readers see old numbers.",
                ),
            ),
        ),
        # Redis restarted.
        quiet=Story({'isonomy_board_age_seconds{job="isonomy-board",instance="b:8081"}': "0x8 25 0x20"}, "10m"),
    ),
    Alert(
        name="BoardErrors",
        expr=f"sum(rate(isonomy_board_requests_total{{{_FAULTS}}}[10m]))"
        ' / sum(rate(isonomy_board_requests_total{route=~"/v1/.+"}[10m])) > 0.01'
        f" and sum(increase(isonomy_board_requests_total{{{_FAULTS}}}[10m])) > 5",
        severity=CRITICAL,
        wait="5m",
        summary="The board answers {{ $value | humanizePercentage }} of its readers with a fault.",
        fires=Story(
            {
                'isonomy_board_requests_total{route="/v1/arenas",status="200"}': "0+90x30",
                'isonomy_board_requests_total{route="/v1/arenas",status="500"}': "0+10x30",
            },
            "20m",
            (({}, "The board answers 10% of its readers with a fault."),),
        ),
        # Readers request pages that do not exist.
        quiet=Story(
            {
                'isonomy_board_requests_total{route="/v1/arenas",status="200"}': "0+90x30",
                'isonomy_board_requests_total{route="/v1/arenas",status="404"}': "0+90x30",
                'isonomy_board_requests_total{route="/v1/arenas",status="500"}': "0x10 2x20",
            },
            "20m",
        ),
    ),
)
