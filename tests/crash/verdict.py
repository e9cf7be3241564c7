"""Checks a finished run: reads the topics and the boards, and applies the checker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.contracts.alert import decode_alert
from streams.contracts.topics import ALERTS, DEAD_LETTERS, LEDGER, VOTES
from streams.fairness.fold import fold
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.stage import read_book
from streams.ledger.codec import Block, Notice, decode
from tests.crash.checker import (
    Finding,
    Heights,
    Statement,
    count_ids,
    judge_alerts,
    judge_deliveries,
    judge_heights,
    judge_votes,
)
from tests.support.pipeline import Pipeline, Vote, assert_same_boards, fold_ledger, fold_votes


@dataclass(frozen=True)
class Evidence:
    """Data of a run in addition to its topics and Redis.

    Parameters
    ----------
    sent, acknowledged, aborted
        Ids of votes by state.
    votes
        All votes of the run, sent or not.
    delivered
        Id and status of the alerts that the subscriber acknowledged, in order.
    heights
        The observed progress of the boards.
    codes
        Exit codes at the end.
    """

    pipeline: Pipeline
    arenas: Sequence[str]
    sent: Set[str]
    acknowledged: Set[str]
    aborted: Set[str]
    votes: Iterable[Vote]
    delivered: Sequence[Statement]
    heights: Heights
    codes: Mapping[str, int | None]


def judge(evidence: Evidence, directory: Path) -> tuple[list[Finding], dict[str, Any]]:
    """Return the findings (empty if no promise is broken) and the figures of the run."""
    pipeline = evidence.pipeline
    ids: dict[int, dict[int, str]] = defaultdict(dict)
    for record in pipeline.read(VOTES.name):
        ids[record.partition][record.offset] = (record.key or b"").decode()
    ledger = pipeline.topic(LEDGER.name)
    entries = [decode(record.value) for record in ledger]
    counted = count_ids((entry for entry in entries if isinstance(entry, Block)), ids)
    findings = judge_votes(counted, sent=evidence.sent, acknowledged=evidence.acknowledged, aborted=evidence.aborted)
    told = [decode_alert(record.value) for record in pipeline.topic(ALERTS.name)]
    statements = {
        arena: [(each.id, each.status.value) for each in told if each.arena == arena] for arena in evidence.arenas
    }
    replayed = replay(pipeline, evidence.arenas, entries)
    for arena in evidence.arenas:
        findings += judge_alerts(arena, statements[arena], replayed[arena])
    findings += judge_deliveries([each for arena in evidence.arenas for each in statements[arena]], evidence.delivered)
    findings += judge_heights(evidence.heights)
    findings += judge_boards(evidence, ledger, counted, directory)
    letters = sum(1 for _ in pipeline.read(DEAD_LETTERS.name))
    if letters:
        findings.append(Finding("a vote was refused that is well-formed", letters))
    if ill := [f"{name}: {code}" for name, code in evidence.codes.items() if code != 0]:
        findings.append(Finding("a process did not end well when it was asked to", len(ill), tuple(ill)))
    figures = {
        "records in votes": sum(map(len, ids.values())),
        "records in ledger": len(ledger),
        "votes counted": sum(counted.values()),
        "votes counted that were not acknowledged": len(counted.keys() - evidence.acknowledged),
        "alerts told": sum(len(set(each)) for each in statements.values()),
        "alerts of the replay": sum(len(set(each)) for each in replayed.values()),
        "deliveries acknowledged": len(evidence.delivered),
    }
    return findings, figures


def replay(pipeline: Pipeline, arenas: Iterable[str], entries: Iterable[Block | Notice]) -> dict[str, list[Statement]]:
    """The alerts of each arena that one undisturbed process emits when it folds the ledger from the start."""
    book = read_book(pipeline.settings.fold)
    states = {arena: ArenaFairness.start(arena, book.of(arena)) for arena in arenas}
    statements: dict[str, list[Statement]] = {arena: [] for arena in arenas}
    for entry in entries:
        statements[entry.arena] += [(each.id, each.status.value) for each in fold(states[entry.arena], entry)]
    return statements


def judge_boards(evidence: Evidence, ledger: Sequence[Any], counted: Counter[str], directory: Path) -> list[Finding]:
    """Compare every published board with `isonomy rate` of the votes, and with one fold of the ledger."""
    wanted = evidence.acknowledged | (counted.keys() & evidence.sent)
    rated = fold_votes((vote for vote in evidence.votes if vote["id"] in wanted), directory)
    folded = fold_ledger(ledger, evidence.pipeline.settings)
    unequal = []
    for arena in evidence.arenas:
        published = evidence.pipeline.boards(arena)
        for what, state, elo_too in (("isonomy rate", rated[arena], False), ("the ledger", folded[arena], True)):
            try:
                assert_same_boards(published, state, elo_too=elo_too)
            except AssertionError as error:
                unequal.append(f"{arena} against {what}: {' '.join(str(error).split())[:200]}")
    return (
        [Finding("the boards of an arena differ from what they must be", len(unequal), tuple(unequal))]
        if unequal
        else []
    )
