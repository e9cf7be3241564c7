"""Checks invariants at every moment, and the outcome when everything has settled.

The checker observes every stored batch, every commit and every write to Redis; it does not rely on the stages' own
reports.
"""

# Longer than most modules: every promise of the stream in one place.

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import TopicPartition

from streams.contracts.alert import Alert, encode_alert
from streams.contracts.dead_letter import read_dead_letter
from streams.contracts.settings import Settings
from streams.contracts.topics import ALERTS, DEAD_LETTERS, INTAKE_GROUP, LEDGER, MODELS, VOTES
from streams.contracts.view import Board
from streams.contracts.vote import WINNERS, Vote
from streams.fairness.fold import fold as fold_fairness
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import SettingsBook
from streams.ledger.codec import Block, Notice, decode
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.publish import make_board
from tests.simulation.broker import Broker, Partition, Slot
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.oracle import Oracle, Place, tallies
from tests.simulation.redis import Server

MOST_TOLD = 6
FORGIVEN_SECONDS = 6.0
"""After Redis came back with an older state, boards must be repaired within this time."""
_read_board = msgspec.json.Decoder(Board).decode
_read_alert = msgspec.json.Decoder(Alert).decode
_VIEW = re.compile(rb".*:\{([a-z0-9_-]+)\}:(board:.*|fairness|alerts|state:.*)\Z")
_FOLDS = ("ratings", "fairness")


@dataclass(slots=True)
class Result:
    """Result of one seed."""

    seed: int
    violations: list[str]
    counted: int
    """Number of votes, or of deliveries."""
    faults: Counter[str]
    ends: Counter[str]
    rebalances: int
    seconds: float
    """Virtual seconds."""
    steps: int
    digest: int
    trace: list[str] = field(default_factory=list)


class Checker:
    """Checks one world."""

    def __init__(
        self,
        loop: VirtualLoop,
        broker: Broker,
        server: Server,
        settings: Settings,
        note: Callable[..., None],
        *,
        book: SettingsBook,
        watched: bool,
    ) -> None:
        self._loop, self._broker, self._server, self._settings, self._book = loop, broker, server, settings, book
        self._note, self._watched = note, watched
        self._seen = [0 for _ in broker.topics[LEDGER.name]]
        self.violations: list[str] = []
        self.oracle = Oracle(settings, broker.topics[VOTES.name], broker.topics[MODELS.name])
        self.counted: dict[str, dict[Place, tuple[str, str, int]]] = {}
        """Arena to the votes that a reader of the ledger counts, in the order of the ledger."""
        self.noticed: dict[str, list[Place]] = {}
        self._watermark: dict[tuple[str, str, int], int] = {}
        self._floor: dict[tuple[str, str], dict[str, int]] = {}
        self._owner: dict[bytes, Process] = {}
        self._forgiven = -1.0
        self._letters: set[tuple[str, int, int]] = set()
        self._reference: tuple[Any, Any] = (None, None)
        self._gone: dict[tuple[str, int], int] = {}
        """Topic and partition to the offset up to which an operator accepted a gap that intake had reported."""
        broker.stored.append(self._stored)
        broker.committed.append(self._committed)
        server.written.append(self._written)
        server.claimed.append(self._claimed)

    @property
    def accepted(self) -> dict[Place, Vote]:
        """Votes that the oracle accepts."""
        return self.oracle.accepted

    def fail(self, rule: str, what: str) -> None:
        """Record a broken promise."""
        self._note("VIOLATION", rule=rule, what=what)
        if len(self.violations) < MOST_TOLD:
            self.violations.append(f"{self._loop.time():.3f} {rule}: {what}")

    # --- Kafka -------------------------------------------------------------------------------------------------------

    def _stored(self, partition: Partition, base: int) -> None:
        for record in partition.records[base:]:
            assert record is not None
            if partition.topic == LEDGER.name:
                self._read_ledger(decode(record.value or b""))
            elif partition.topic == DEAD_LETTERS.name:
                letter = read_dead_letter(dict(record.headers), record.value)
                self._letters.add((letter.topic, letter.partition, letter.offset))

    def _read_ledger(self, record: Block | Notice) -> None:
        """Read by the contract's rule: rows at or below the watermark are already counted."""
        marks, arena = self._watermark, record.arena
        counted = self.counted.setdefault(arena, {})
        if isinstance(record, Notice):
            mark = (arena, MODELS.name, record.partition)
            if record.offset > marks.get(mark, -1):
                marks[mark] = record.offset
                self.noticed.setdefault(arena, []).append((record.partition, record.offset))
            elif (record.partition, record.offset) not in self.noticed.get(arena, ()):
                self.fail(
                    "exactly once", f"notice {record.partition}/{record.offset} of {arena} lies under the watermark"
                )
            return
        rows = record.rows
        highest: dict[int, int] = dict(record.through)
        for number in range(len(rows)):
            place = (int(rows.partition[number]), int(rows.offset[number]))
            if place[1] > marks.get((arena, VOTES.name, place[0]), -1):
                # Rows raise the watermark only after the whole block.
                highest[place[0]] = max(highest.get(place[0], -1), place[1])
                counted[place] = (
                    rows.models[rows.model_a[number]],
                    rows.models[rows.model_b[number]],
                    int(rows.winner[number]),
                )
            elif place not in counted and place[1] >= self._gone.get((VOTES.name, place[0]), 0):
                self.fail("exactly once", f"vote {place} of {arena} was written under the watermark: lost for ever")
        for source, offset in highest.items():
            mark = (arena, VOTES.name, source)
            marks[mark] = max(offset, marks.get(mark, -1))

    def _committed(self, group: str, at: TopicPartition, offset: int, ours: bool) -> None:
        if group != INTAKE_GROUP or not ours:
            return
        self.oracle.advance()
        if offset > self._broker.at(at).stable:
            self.fail("commits", f"{at.topic}/{at.partition}: {offset} was committed, beyond the end")
        if at.topic == VOTES.name:
            gone = self._gone.get((at.topic, at.partition), 0)
            for place, vote in self.oracle.accepted.items():
                between = place[0] == at.partition and gone <= place[1] < offset
                if between and place not in self.counted.get(vote.arena, ()):
                    self.fail(
                        "commits", f"{at.topic}/{at.partition} at {offset}, but vote {place} is not in the ledger"
                    )
                    return
        else:
            for place, arena in self.oracle.notices.items():
                if place[0] == at.partition and place[1] < offset and place not in self.noticed.get(arena, ()):
                    self.fail("commits", f"{offset} of models was committed, notice {place} is not in the ledger")
                    return

    def taken(self, partition: int) -> bool:
        """Whether the ledger has a watermark for a partition of votes."""
        return any(topic == VOTES.name and source == partition for _, topic, source in self._watermark)

    def gap_accepted(self, at: TopicPartition, offset: int) -> None:
        """An operator has accepted that records up to an offset are gone."""
        self._gone[at.topic, at.partition] = max(offset, self._gone.get((at.topic, at.partition), 0))

    def _expected(self, arena: str) -> dict[Place, Vote]:
        """Votes of an arena that must be counted: all except those in an accepted gap that were never counted."""
        counted, gone = self.counted.get(arena, {}), self._gone
        return {
            place: vote
            for place, vote in self.oracle.of_arena(arena).items()
            if place in counted or place[1] >= gone.get((VOTES.name, place[0]), 0)
        }

    # --- Redis -------------------------------------------------------------------------------------------------------

    def rolled_back(self) -> None:
        """Redis came back with an older state, epochs included."""
        self._forgiven = self._loop.time() + FORGIVEN_SECONDS
        self._owner.clear()

    def flushed(self) -> None:
        """Redis lost everything, epochs included."""
        self._owner.clear()

    def overwritten(self, key: bytes) -> None:
        """A key was overwritten; its epoch, if it had one, is lost."""
        self._owner.pop(key, None)

    def _claimed(self, caller: Process, state: bytes) -> None:
        self._owner[state] = caller

    def _written(self, caller: Process, key: bytes, value: Any) -> None:
        found = _VIEW.match(key)
        if found is None:
            return
        arena, what = found[1].decode(), found[2].decode()
        fold_name = what.partition(":")[2] if what.startswith("state:") else _fold_of(what)
        owner = self._owner.get(self._settings.redis.keys.state(arena, fold_name).encode())
        if owner is not None and owner is not caller and not self._server.claiming:
            self.fail("fence", f"{caller.name} wrote {what} of {arena}, which {owner.name} has claimed")
        name = what.removeprefix("board:")
        if name == what:
            return
        if value is None:  # the ledger is never replaced here, so no board may be removed
            self.fail("boards never go back", f"{name} of {arena} was removed ({caller.name})")
        else:
            self._published(caller, arena, name, _read_board(value))

    def _published(self, caller: Process, arena: str, name: str, board: Board) -> None:
        counts = {"votes": board.votes, "battles": board.battles, "ledger": board.position.ledger}
        now = counts | board.position.watermark
        before = self._floor.setdefault((arena, name), {})
        self._note("published", by=caller.name, arena=arena, board=name, **now)
        less = {what: count for what, count in before.items() if now.get(what, -1) < count}
        if less and self._loop.time() > self._forgiven:
            self.fail("boards never go back", f"{name} of {arena} has {now}, it had {less} ({caller.name})")
        for what, count in now.items():
            before[what] = max(count, before.get(what, count))

    # --- when all is quiet -------------------------------------------------------------------------------------------

    def outcome(self) -> list[str]:
        """List deviations from the expected final state; empty when there are none."""
        self.oracle.advance()
        wrong = self._ledger_faults()
        if wrong:
            return wrong
        if any(log.end != seen for log, seen in zip(self._broker.topics[LEDGER.name], self._seen, strict=True)):
            self._seen = [log.end for log in self._broker.topics[LEDGER.name]]
            return ["the ledger still grows"]
        states, watched, alerts = self._folded()
        return self._board_faults(states) + (self._alert_faults(watched, alerts) if self._watched else [])

    def _ledger_faults(self) -> list[str]:
        wrong = []
        for arena in sorted(self.oracle.arenas() | set(self.counted)):
            expected = {
                place: (vote.model_a, vote.model_b, WINNERS[vote.winner])
                for place, vote in self._expected(arena).items()
            }
            counted = self.counted.get(arena, {})
            if counted != expected:
                missing, extra = sorted(set(expected) - set(counted)), sorted(set(counted) - set(expected))
                wrong.append(
                    f"exactly once: {arena}: missing {missing[:5]}, not expected {extra[:5]} (of {len(expected)})"
                )
            notices = sorted(place for place, of in self.oracle.notices.items() if of == arena)
            if self.noticed.get(arena, []) != notices:
                wrong.append(f"order: notices of {arena}: {self.noticed.get(arena, [])}, expected {notices}")
        letters = set(map(self._begun, self._letters))
        missing = {place for place in self.oracle.refused - letters if place[2] >= self._gone.get(place[:2], 0)}
        extra = letters - self.oracle.refused
        if missing or extra:
            wrong.append(f"dead letters: missing {sorted(missing)[:5]}, too many {sorted(extra)[:5]}")
        return wrong

    def _begun(self, place: tuple[str, int, int]) -> tuple[str, int, int]:
        """Base offset of a parked batch: retention may have deleted its first records before it was parked."""
        topic, partition, offset = place
        log = self._broker.topics[topic][partition]
        record = log.records[offset]
        if record is None or log.slots[offset] is not Slot.UNREADABLE:
            return place
        return topic, partition, record.batch

    def _folded(self) -> tuple[dict[str, ArenaState], dict[str, ArenaFairness], dict[str, list[bytes]]]:
        """Fold the ledger in one process without faults."""
        logs = self._broker.topics[LEDGER.name]
        ends = [log.end for log in logs]
        if self._reference[0] == ends:
            return self._reference[1]
        states: dict[str, ArenaState] = {}
        watched: dict[str, ArenaFairness] = {}
        alerts: dict[str, list[bytes]] = {}
        play, limits = elo.compiled(), ArenaLimits()
        for log in logs:
            for stored in log.records:
                assert stored is not None
                record = decode(stored.value or b"")
                state = states.setdefault(record.arena, ArenaState(record.arena))
                fold(state, record, limits, play)
                if not self._watched:
                    continue
                if record.arena not in watched:
                    watched[record.arena] = ArenaFairness.start(record.arena, self._book.of(record.arena))
                told = [encode_alert(alert) for alert in fold_fairness(watched[record.arena], record)]
                alerts.setdefault(record.arena, []).extend(told)
        self._reference = (ends, (states, watched, alerts))
        return states, watched, alerts

    def _board_faults(self, states: dict[str, ArenaState]) -> list[str]:
        wrong = []
        for arena, state in states.items():
            expected = tallies(self._expected(arena).values())
            names = self._server.data.get(self._settings.redis.keys.boards(arena).encode(), set())
            if {bytes(name).decode() for name in names} != set(expected):
                wrong.append(f"boards of {arena}: {sorted(names)}, expected {sorted(expected)}")
            for name, (votes, battles, models) in expected.items():
                text = self._server.data.get(self._settings.redis.keys.board(arena, name).encode())
                if text is None:
                    wrong.append(f"board {name} of {arena} is missing")
                    continue
                board = _read_board(text)  # type: ignore[arg-type]
                found = {line.model: (line.votes, line.battles) for line in board.models}
                if (board.votes, board.battles, found) != (votes, battles, models):
                    wrong.append(
                        f"board {name} of {arena}: {board.votes}/{board.battles} votes, expected {votes}/{battles}"
                    )
                elif name == "overall":
                    reference = make_board(state, name)[0]
                    if [_line(line) for line in board.models] != [_line(line) for line in reference.models]:
                        wrong.append(
                            f"board {name} of {arena}: other ratings than those of the ledger folded in one go"
                        )
        return wrong

    def _alert_faults(self, watched: dict[str, ArenaFairness], alerts: dict[str, list[bytes]]) -> list[str]:
        wrong = []
        told: dict[str, dict[bytes, None]] = {}
        for log in self._broker.topics[ALERTS.name]:
            for record in log.records:
                assert record is not None
                assert record.value is not None
                told.setdefault(_read_alert(record.value).arena, {})[record.value] = None
        for arena in sorted(set(alerts) | set(told)):
            expected, found = list(dict.fromkeys(alerts.get(arena, []))), list(told.get(arena, {}))
            if found != expected:
                wrong.append(f"alerts of {arena}: {len(found)} told, {len(expected)} expected, or another order")
        for arena, state in watched.items():
            text = self._server.data.get(self._settings.redis.keys.alerts(arena).encode())
            shown = [] if text is None else [each["id"] for each in msgspec.json.decode(text)["alerts"]]  # type: ignore[arg-type]
            if text is None or shown != [alert.id for alert in state.firing]:
                wrong.append(f"alerts view of {arena}: {shown}, expected {[alert.id for alert in state.firing]}")
        return wrong


def _fold_of(what: str) -> str:
    return "ratings" if what.startswith("board:") else "fairness"


def _line(model: Any) -> tuple[Any, ...]:
    return (model.model, model.rank, model.rating, model.lower, model.upper, model.elo, model.provider, model.reason)
