"""Alerts about the log of votes: are records gone, are batches unreadable, did anyone move intake's offsets?"""

from __future__ import annotations

from deploy.prometheus.rule import CRITICAL, WARNING, Alert, Story, grew

_WORKER = 'instance="w:8082",job="isonomy-worker"'
_FOREIGN = "isonomy_intake_foreign_commits_total"
_MOVED = (
    "Somebody set the offsets of intake's group. They are not believed: intake went on from what the ledger shows,"
    " and no vote was lost."
)

LOG = (
    Alert(
        name="VotesGone",
        # Over ten minutes: a worker that runs only intake exports the metric for one scrape, exits, and exports it
        # again after its restart, which in Kubernetes takes five minutes at most.
        expr="max by (topic, partition) (max_over_time(isonomy_intake_records_gone[10m])) > 0",
        severity=CRITICAL,
        wait="0s",
        summary="Intake stands: {{ $value }} records of {{ $labels.topic }}/{{ $labels.partition }} that it never took"
        " are gone from the log.",
        fires=Story(
            {f'isonomy_intake_records_gone{{topic="votes",partition="2",{_WORKER}}}': "0x5 768 stale _x6 768x10"},
            "12m",
            (
                (
                    {"topic": "votes", "partition": "2"},
                    "Intake stands: 768 records of votes/2 that it never took are gone from the log.",
                ),
            ),
        ),
        # The operator accepted the gap.
        quiet=Story({f'isonomy_intake_records_gone{{topic="votes",partition="2",{_WORKER}}}': "768x5 0x25"}, "25m"),
    ),
    Alert(
        name="BatchesUnreadable",
        expr="sum by (topic) (" + grew("isonomy_intake_unreadable_batches_total", "1h") + ")",
        severity=WARNING,
        wait="0s",
        summary="Record batches of {{ $labels.topic }} cannot be read. Their votes are not counted; their bytes are"
        " among the dead letters.",
        fires=Story(
            {f'isonomy_intake_unreadable_batches_total{{topic="votes",{_WORKER}}}': "_x10 2x30"},
            "20m",
            (
                (
                    {"topic": "votes"},
                    "Record batches of votes cannot be read. Their votes are not counted; their bytes are among the"
                    " dead letters.",
                ),
            ),
        ),
        quiet=Story({f'isonomy_intake_unreadable_batches_total{{topic="votes",{_WORKER}}}': "2x120"}, "90m"),
    ),
    Alert(
        name="CommitNotOurs",
        expr=f"sum({grew(_FOREIGN, '1h')})",
        severity=WARNING,
        wait="0s",
        summary=_MOVED,
        # A worker finds such a commit when it takes over, often before its first scrape.
        fires=Story({f"{_FOREIGN}{{{_WORKER}}}": "_x10 4x30"}, "20m", (({}, _MOVED),)),
        quiet=Story({f"{_FOREIGN}{{{_WORKER}}}": "4x120"}, "90m"),
    ),
    Alert(
        name="IdMemoryShort",
        expr="max by (partition) (isonomy_intake_dedup_records_missing) > 0",
        severity=WARNING,
        wait="0s",
        summary="votes/{{ $labels.partition }} was shortened: up to {{ $value }} ids of the horizon are not known, and"
        " such a vote counts again when it is sent again.",
        fires=Story(
            {f'isonomy_intake_dedup_records_missing{{partition="3",{_WORKER}}}': "0x5 251x20"},
            "10m",
            (
                (
                    {"partition": "3"},
                    "votes/3 was shortened: up to 251 ids of the horizon are not known, and such a vote counts again"
                    " when it is sent again.",
                ),
            ),
        ),
        # Another take-over, after the missing records have left the horizon.
        quiet=Story({f'isonomy_intake_dedup_records_missing{{partition="3",{_WORKER}}}': "251x5 0x20"}, "10m"),
    ),
)
