"""The summary at the end of every command: what was read, counted and dropped, and why."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.sources.base import Account, ColumnChunk, RecordChunk, RejectedItem, VoteSource, in_rows
from services.sources.clocks import MODERN
from services.sources.layout import number
from streams.contracts.vote import NONE

if TYPE_CHECKING:
    from streams.ledger.rows import Rows


EXAMPLES = 3
MOST_UNUSED = 12
VALUES = 8
LONGEST = 80
"""Limits: examples of each reason, unused columns, values of a field, and characters of each value."""

HELP = {
    "winner": "--words '{value}=tie' says what a word means (model_a, model_b, tie, both_bad, none, or skip: no vote)",
    "tstamp": "--columns tstamp= reads the votes without their times",
    "count": "--columns count=,weight= counts every row once",
    "id": "--columns id= numbers the votes",
    "arena": "--columns arena= takes all votes for one arena's",
}
"""Field to the option by which its values can be read."""

NUMBERS = (
    "nothing says what the numbers mean: --words '0=model_a,1=model_b,2=tie' (or as it is) does; where they are what"
    " the first model scored, 1, 0.5 or 0: --layout score --columns winner=NAME"
)


class Summary:
    """Counts what became of the rows of a source.

    Attributes
    ----------
    read
        Rows or items read.
    counted
        Votes counted: more than rows if a row represents several votes.
    without_vote
        Battles without a vote, winner `none`: they count only as shown.
    duplicates
        Votes whose id occurred before.
    refused
        Rows that cannot be read, by reason.
    values
        The cells that cannot be read in these rows, by field.
    left_out
        Rows that are no votes, by the rule that leaves them out.
    unread
        Cells of optional columns that could not be read, by column; their votes count.
    notes
        Other notes for the user.
    """

    def __init__(self, source: VoteSource) -> None:
        self.source = source
        self.read = self.counted = self.duplicates = self.without_vote = 0
        self.refused: Counter[str] = Counter()
        self.values: dict[str, Counter[str]] = {}
        self.left_out: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.notes = list(source.notes)
        self._examples: dict[str, list[str]] = {}
        self._names: Counter[str] = Counter()
        self._newest = 0.0

    def take(self, batch: ColumnChunk) -> None:
        """Add a batch of columns."""
        self._account(batch.account, batch.rejected)
        self.duplicates += batch.duplicates
        for rows in batch.rows.values():
            shown = int((rows.winner == NONE).sum())
            self.counted += len(rows) - shown
            self.without_vote += shown
            if len(rows):
                self._look(rows)

    def send(self, records: RecordChunk) -> None:
        """Add a chunk of records; duplicates are not counted here, because the stream drops them."""
        self._account(records.account, records.rejected)
        self.counted += len(records.keys)

    def _account(self, account: Account, rejected: list[RejectedItem]) -> None:
        self.read += account.rows
        self.left_out += account.left_out
        self.unread += account.unread
        for item in rejected:
            self.refused[item.reason] += 1
            if item.field:
                self.values.setdefault(item.field, Counter())[item.value] += 1
            examples = self._examples.setdefault(item.reason, [])
            if len(examples) < EXAMPLES:
                examples.append(f"refused {item.where}: {item.reason}: {_short(item.detail, 2 * LONGEST)}")

    def _look(self, rows: Rows) -> None:
        import numpy as np

        battles = sum(np.bincount(side, minlength=len(rows.models)) for side in (rows.model_a, rows.model_b))
        for name, shown in zip(rows.models, np.asarray(battles).tolist(), strict=True):
            if shown:
                self._names[name] += shown
        self._newest = max(self._newest, float(rows.tstamp.max()))

    def close(self, now: float) -> None:
        """Add notes that need all rows: names that look alike, times before 1973 or ahead of the clock."""
        self.notes += alike(self._names)
        if self.source.timed and 0 < self._newest < MODERN:
            day = datetime.fromtimestamp(self._newest, UTC).date()
            self.notes.append(
                f"the newest time is of {day}: these numbers count no seconds since 1970, or votes are old"
            )
        if self.source.timed and self._newest > now + 60:
            hours = (self._newest - now) / 3600
            self.notes.append(
                f"the newest time is {hours:,.1f} hours ahead of now; times without a zone are read as UTC,"
                f" these may be local"
            )

    @property
    def dropped(self) -> int:
        """Rows that cannot be read."""
        return sum(self.refused.values())

    def unreadable(self, instead: str = "", *, needs_times: bool = False) -> str:
        """Error message: unreadable values and their counts, `instead` (what was not done), and options that help.

        With `needs_times` nothing can be done with votes without their times, so that option is not among them.
        """
        parts, help_ = [], []
        blamed: Counter[str] = Counter()
        for field, values in self.values.items():
            blamed[field] = sum(values.values())
            listed = [
                f"{_short(value, LONGEST)!r} {in_rows(rows)}" if value else f"empty {in_rows(rows)}"
                for value, rows in values.most_common(VALUES)
            ]
            if len(values) > VALUES:
                listed.append(f"{len(values) - VALUES:,} other values")
            parts.append(f"{field} {', '.join(listed)}")
            if field == "winner" and any(number(value) is not None for value in values):
                help_.append(NUMBERS)
            elif field == "winner" and not values.most_common(1)[0][0]:
                help_.append("--words =skip says that rows without a winner are no votes")
            elif field in HELP and not (needs_times and field == "tstamp"):
                help_.append(HELP[field].format(value=_short(values.most_common(1)[0][0], LONGEST)))
        if (rest := self.dropped - sum(blamed.values())) > 0:
            reasons = ", ".join(self.refused)
            first = next(iter(self._examples.values()))[0]
            parts.append(f"{rest:,} whole rows ({reasons}; the first: {first.removeprefix('refused ')})")
        help_.append("--drop-unreadable goes on without these rows and says so")
        said = [f"{self.dropped:,} of {self.read:,} rows cannot be read: {'; '.join(parts)}"]
        return ". ".join([*said, *filter(None, (instead,)), f"What helps: {'; '.join(help_)}"])

    def lines(self) -> list[str]:
        """Lines for the terminal."""
        told = [f"note: {note}" for note in self.notes]
        told += [
            f"note: {cells:,} cells of column {column!r} cannot be read and were not used; the votes count"
            for column, cells in self.unread.items()
        ]
        for reason, examples in self._examples.items():
            rest = self.refused[reason] - len(examples)
            told += examples + ([f"refused {rest:,} more rows: {reason}"] if rest else [])
        if unused := self.source.unused:
            more = f" and {len(unused) - MOST_UNUSED:,} more" if len(unused) > MOST_UNUSED else ""
            told.append(f"columns not used: {', '.join(map(repr, unused[:MOST_UNUSED]))}{more}")
        return [*told, self.line()]

    def line(self) -> str:
        """All numbers in one line."""
        parts = [f"read {self.read:,} rows: {self.counted:,} votes counted"]
        if self.without_vote:
            parts.append(f"{self.without_vote:,} battles without a vote (none)")
        if self.duplicates:
            parts.append(f"{self.duplicates:,} duplicates")
        parts += [f"{rows:,} left out ({rule})" for rule, rows in self.left_out.items()]
        if self.refused:
            reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.refused.items())
            parts.append(f"{self.dropped:,} dropped as unreadable ({reasons})")
        return ", ".join(parts)

    def as_json(self) -> dict[str, object]:
        """The summary for programs; also under `reading` in `rate --format json`."""
        return {
            "source": self.source.name,
            "layout": self.source.layout or None,
            "read": self.read,
            "counted": self.counted,
            "without_vote": self.without_vote,
            "duplicates": self.duplicates,
            "refused": dict(self.refused),
            "values": {field: dict(values.most_common(100)) for field, values in self.values.items()},
            "left_out": dict(self.left_out),
            "cells_not_used": dict(self.unread),
            "columns_not_used": self.source.unused,
            "notes": self.notes,
        }


def _short(text: str, longest: int) -> str:
    """A text cut to fit one line: cells may hold whole answers in place of words."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


_LETTERS = str.maketrans(
    "аβсԁеɡһіјκӏոорԛѕтυѵѡхуαεινρτχοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abcdeghijklnopqstuvwxyaeivptxoABEZHIKMNOPTYX",
)
"""Cyrillic, Greek, Armenian and phonetic letters to the Latin letters that they look like."""

_marks = re.compile(r"[\W_]+")


def skeleton(name: str) -> str:
    """A key that is the same for names that look alike.

    >>> skeleton("GPT-4o") == skeleton("gpt 4o") == skeleton("gрt_4о"), skeleton("gpt-4") == skeleton("gpt-4o")
    (True, False)
    """
    plain = unicodedata.normalize("NFKC", name).translate(_LETTERS).casefold().translate(_LETTERS)
    # Punctuation between digits separates numbers: 2.1 and 21 are two versions.
    parts = _marks.split(re.sub(r"(?<=\d)[\W_]+(?=\d)", "x0x", plain))
    return "".join(parts)


def alike(votes: Mapping[str, int]) -> list[str]:
    """A sentence for each group of names that look alike, the name with most votes first; `votes` is by name."""
    groups: dict[str, list[str]] = {}
    for name in votes:
        groups.setdefault(skeleton(name) or name, []).append(name)
    told = []
    for names in groups.values():
        if len(names) > 1:
            ordered = sorted(names, key=lambda name: (-votes[name], name))
            shown = ", ".join(f"{name!r} ({votes[name]:,} battles)" for name in ordered)
            told.append(f"names that look alike are counted as different models: {shown}")
    return told
