"""Checks that must hold after any run: pure functions from written and observed data to findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median

from streams.ledger.codec import Block

EXAMPLES = 3
Statement = tuple[str, str]
"""Id and status of an alert."""


@dataclass(frozen=True)
class Finding:
    """One broken promise: its name, the number of cases, and examples."""

    promise: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.promise}: {self.count:,}, such as {', '.join(self.examples)}"


def _found(promise: str, guilty: Iterable[object]) -> list[Finding]:
    every = sorted(map(str, guilty))
    return [Finding(promise, len(every), tuple(every[:EXAMPLES]))] if every else []


# --- votes ------------------------------------------------------------------------------------------------------------


def count_ids(blocks: Iterable[Block], ids: Mapping[int, Mapping[int, str]]) -> Counter[str]:
    """Fold the ledger by the rule of its contract; returns how often each vote is counted.

    Parameters
    ----------
    blocks
        Blocks of the ledger; those of one arena are in order.
    ids
        Partition and offset of the votes topic to the id of the vote.

    Raises
    ------
    KeyError
        When a row refers to a record that does not exist.
    """
    watermarks: dict[str, dict[int, int]] = defaultdict(dict)
    counted: Counter[str] = Counter()
    for block in blocks:
        watermark = watermarks[block.arena]
        for partition, offset in zip(block.rows.partition.tolist(), block.rows.offset.tolist(), strict=True):
            if offset > watermark.get(partition, -1):
                counted[ids[partition][offset]] += 1
        for partition, offset in block.through.items():
            watermark[partition] = max(offset, watermark.get(partition, -1))
    return counted


def judge_votes(
    counted: Counter[str], *, sent: Set[str], acknowledged: Set[str], aborted: Set[str] = frozenset()
) -> list[Finding]:
    """Compare the counted votes with the sent ones.

    Parameters
    ----------
    counted
        Vote id to the number of times it is counted.
    sent
        Ids of all send attempts; a vote that was not acknowledged may be counted at most once.
    acknowledged
        Ids that were acknowledged to the sender.
    aborted
        Ids in aborted transactions.
    """
    return [
        *_found_votes("an acknowledged vote is lost", acknowledged - counted.keys()),
        *_found_votes("a vote is counted more than once", (vote for vote, times in counted.items() if times > 1)),
        *_found_votes("a vote of an aborted transaction is counted", counted.keys() & aborted),
        *_found_votes("a vote is counted that nobody sent", counted.keys() - sent - aborted),
    ]


def _found_votes(promise: str, guilty: Iterable[str]) -> list[Finding]:
    every = list(guilty)
    return [Finding(promise, len(every), tuple(spans(every)[:EXAMPLES]))] if every else []


def spans(ids: Iterable[str]) -> list[str]:
    """Group consecutive ids, the longest span first, which shows when they were sent.

    >>> spans(["g-9", "g-10", "g-11", "d-3", "x"])
    ['g-9 to g-11', 'd-3', 'x']
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    alone = []
    for each in ids:
        name, dash, number = each.rpartition("-")
        if dash and number.isdecimal():
            numbers[name].append(int(number))
        else:
            alone.append((1, each))
    found = []
    for name, those in numbers.items():
        those.sort()
        # Consecutive numbers all have the same difference to their positions.
        for _, run in groupby(enumerate(those), lambda pair: pair[1] - pair[0]):
            span = [number for _, number in run]
            first, last = f"{name}-{span[0]}", f"{name}-{span[-1]}"
            found.append((len(span), first if len(span) == 1 else f"{first} to {last}"))
    return [text for _, text in sorted(found + alone, key=lambda each: (-each[0], each[1]))]


# --- boards -----------------------------------------------------------------------------------------------------------


@dataclass
class Regress:
    """A board that went backwards: the values before and after, when, and until when."""

    board: str
    what: str
    before: int
    after: int
    at: float
    until: float | None = None
    during: str = ""

    def __str__(self) -> str:
        back = "never came back" if self.until is None else f"back after {self.until - self.at:.1f} s"
        return (
            f"{self.what} of {self.board} {self.before:,} → {self.after:,} at {self.at:.0f} s ({self.during}; {back})"
        )


@dataclass
class Heights:
    """The highest values seen of each board; a lower value is a regress until the highest is reached again."""

    regresses: list[Regress] = field(default_factory=list)
    _highest: dict[tuple[str, str], int] = field(default_factory=dict)
    _open: dict[tuple[str, str], Regress] = field(default_factory=dict)

    def see(self, board: str, what: str, value: int, at: float, during: str = "") -> None:
        """Add one observation; `at` never decreases."""
        key = (board, what)
        highest = self._highest.get(key, value)
        if value < highest:
            regress = self._open.get(key)
            if regress is None:
                regress = self._open[key] = Regress(board, what, highest, value, at, during=during)
                self.regresses.append(regress)
            regress.after = min(regress.after, value)
            return
        self._highest[key] = value
        if (over := self._open.pop(key, None)) is not None:
            over.until = at


@dataclass(frozen=True)
class Regresses:
    """Regresses during one kind of fault: number, greatest depth, and longest duration (None: for good)."""

    during: str
    what: str
    times: int
    deepest: int
    longest: float | None


def sum_up_regresses(heights: Heights) -> list[Regresses]:
    """Return the table of regresses by fault and value."""
    by_fault: dict[tuple[str, str], list[Regress]] = defaultdict(list)
    for regress in heights.regresses:
        by_fault[regress.during, regress.what].append(regress)
    table = []
    for (during, what), found in sorted(by_fault.items()):
        lasted = [each.until - each.at for each in found if each.until is not None]
        longest = round(max(lasted), 1) if len(lasted) == len(found) else None
        table.append(Regresses(during, what, len(found), max(each.before - each.after for each in found), longest))
    return table


def judge_heights(heights: Heights) -> list[Finding]:
    """Check that no published board has fewer votes, or an earlier ledger position, than an earlier one."""
    return _found("a board ran backwards", heights.regresses)


# --- alerts and deliveries --------------------------------------------------------------------------------------------


def judge_alerts(arena: str, told: Sequence[Statement], replayed: Sequence[Statement]) -> list[Finding]:
    """Compare the published alerts, repeats included, with those of an undisturbed replay of the same ledger."""
    once, wanted = list(dict.fromkeys(told)), list(dict.fromkeys(replayed))
    findings = [
        *_found(f"an alert of {arena} was not told", set(wanted) - set(once)),
        *_found(f"an alert of {arena} was told that the replay does not tell", set(once) - set(wanted)),
    ]
    if not findings and once != wanted:
        place = next(at for at, pair in enumerate(zip(once, wanted, strict=True)) if pair[0] != pair[1])
        findings += _found(f"alerts of {arena} were told in another order", [once[place]])
    return findings


def judge_deliveries(told: Iterable[Statement], delivered: Sequence[Statement]) -> list[Finding]:
    """Check that every alert is delivered at least once, and that none is resolved before it fires.

    Parameters
    ----------
    told
        Id and status of the alerts in the topic `alerts`.
    delivered
        Id and status of the alerts that the endpoint acknowledged, in order, repeats included.
    """
    first: dict[Statement, int] = {}
    for place, statement in enumerate(delivered):
        first.setdefault(statement, place)
    ends = [alert for alert, status in first if status == "resolved"]
    return [
        *_found("an alert was not delivered", set(told) - first.keys()),
        *_found(
            "an alert's end was delivered before its beginning",
            (alert for alert in ends if first.get((alert, "firing"), len(delivered)) > first[alert, "resolved"]),
        ),
    ]


# --- recoveries -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recovery:
    """Number of faults of a kind, and the seconds until new votes were on the boards; None: not in time."""

    kind: str
    times: int
    median: float | None
    longest: float | None


def sum_up(recoveries: Iterable[tuple[str, float | None]]) -> list[Recovery]:
    """Return the table of recoveries, sorted by kind.

    >>> sum_up([("cut", 1.0), ("cut", 3.0), ("full", None)])
    [Recovery(kind='cut', times=2, median=2.0, longest=3.0), Recovery(kind='full', times=1, median=None, longest=None)]
    """
    by_kind: dict[str, list[float | None]] = defaultdict(list)
    for kind, seconds in recoveries:
        by_kind[kind].append(seconds)
    table = []
    for kind, found in sorted(by_kind.items()):
        known = [seconds for seconds in found if seconds is not None]
        whole = len(known) == len(found)
        table.append(Recovery(kind, len(found), median(known) if whole else None, max(known) if whole else None))
    return table
