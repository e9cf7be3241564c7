"""The ratings stage: folds the ledger into counts and publishes boards."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event

import msgspec
from aiokafka import TopicPartition

from streams.contracts.arena_settings import read_file
from streams.contracts.history import TIERS
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import FoldSettings
from streams.contracts.settings import Settings
from streams.contracts.shown import Shown
from streams.contracts.topics import RATINGS_GROUP
from streams.fold.checkpoint import DamagedState
from streams.fold.partition import Owned
from streams.fold.redis_store import WriteResult
from streams.fold.runner import FoldStage
from streams.kafka.consumer import Log
from streams.ledger.codec import Block, Notice
from streams.ratings import elo
from streams.ratings.fold import ArenaLimits, ArenaState, fold
from streams.ratings.history import RatingsHistory
from streams.ratings.publish import Question, answer, ask, make_board
from streams.ratings.settings import RatingsBook, RatingsSettings, read_ratings_settings
from streams.ratings.snapshot import Snapshots, decode_state, encode_history

SHOWN_SECONDS = 1.0
"""Seconds between writes of the offset up to which the boards in Redis count; readers derive their age from it."""

SLOW_SECONDS, SLOW_ALONE_SECONDS = 0.25, 2.0
"""If an arena's refresh takes longer, a thread solves its boards, so that other arenas' votes do not wait. With a
single arena only heartbeats wait, and the loop is faster, because a thread shares the interpreter with it."""

LARGE_MODELS = 400
"""A board with more models is never solved on the loop: that would delay heartbeats too long."""
SLICE_BOARDS, SLICE_SECONDS = 16, 1.0
"""Boards of one arena, and seconds, to solve in the thread before another arena has its turn."""

_EVERY_TIER = frozenset(tier.name for tier in TIERS)
_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Solved:
    """JSON and logits of each board, by name, and the seconds that solving took."""

    texts: dict[str, bytes]
    starts: dict[str, dict[str, float]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Solving:
    """Boards that the thread is solving, as of `position` in the ledger."""

    boards: frozenset[str]
    position: int
    recorded: int
    tstamp: float
    solved: Future[Solved]
    given_up: Event


@dataclass(slots=True)
class RatedArena(Owned):
    """An arena's counts, and the parts of them that are not in Redis yet."""

    state: ArenaState
    snapshots: Snapshots = field(default_factory=Snapshots)
    unpublished: set[str] = field(default_factory=set)
    unpublished_tiers: set[str] = field(default_factory=lambda: set(_EVERY_TIER))
    unsaved: set[str] = field(default_factory=set)
    starts: dict[str, dict[str, float]] = field(default_factory=dict)
    slow: bool = False
    """Whether its boards are solved in the thread: on the loop they would delay the other arenas."""
    solving: Solving | None = None
    round: set[str] = field(default_factory=set)
    """Boards that had changed at `round_position` and that the thread has not solved yet. Boards that change later wait
    for the next round; otherwise the last names would never have their turn."""
    round_position: int = 0
    bytes: dict[str, int] = field(default_factory=dict)
    """Memory of each board; `taken` is the sum."""
    taken: int = 0
    stale: bool = False
    """Whether Redis may have views of boards that are no more."""
    published: int = 0
    """Ledger offset up to which its boards in Redis are known to count everything."""


class RatingsStage(FoldStage[RatedArena]):
    """Folds the ledger and publishes boards; one per process."""

    name = RATINGS_GROUP

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        super().__init__(settings, metrics)
        self._limits = ArenaLimits(settings.fold.max_models, settings.fold.max_boards)
        self._book = read_book(settings.fold)
        self._play = elo.compiled()
        self._next_shown = 0.0
        self._taken = 0
        # One thread: two solvers would only compete with each other, and with the loop, for the CPU.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slow-boards")

    def _new(self, owned: Owned, position: int) -> RatedArena:
        history = RatingsHistory(self._settings.fold.reweighted, self._book.of(owned.name))
        state = ArenaState(owned.name, position=position, history=history)
        return RatedArena(owned.name, owned.partition, owned.epoch, state)

    def _restored(self, owned: Owned, fields: Mapping[str, bytes]) -> RatedArena:
        state = decode_state(fields)
        if state.arena != owned.name:
            raise DamagedState(f"it is that of arena {state.arena!r}")
        wanted = self._settings.fold.reweighted, self._book.of(owned.name)
        if state.history is None or (state.history.reweighted, state.history.settings) != wanted:
            raise DamagedState("its history was made with other settings")
        taken = {name: board.nbytes for name, board in state.boards.items()}
        arena = RatedArena(owned.name, owned.partition, owned.epoch, state, unpublished=set(state.boards), bytes=taken)
        arena.taken = sum(taken.values())
        self._taken += arena.taken
        if self._taken > self._settings.fold.worker_bytes:
            self._stop_for_all(arena)
        return arena

    def _position(self, arena: RatedArena) -> int:
        return arena.state.position

    def _advance(self, arena: RatedArena, position: int) -> None:
        arena.state.position = position

    def _fold(self, arena: RatedArena, record: Block | Notice) -> None:
        now = math.inf if self._refolding(arena) else time.time()
        folded = fold(arena.state, record, self._limits, self._play, now)
        arena.unpublished |= folded.changed
        arena.unpublished_tiers |= folded.sampled
        arena.unsaved |= folded.changed
        if folded.gone:
            self._forget(arena, folded.gone)
        self._bound(arena, folded.changed)
        state = arena.state
        if isinstance(record, Notice) and len(state.registry) > self._settings.fold.max_declared:
            raise MemoryError(f"it declares more models than ISONOMY_MAX_DECLARED={self._settings.fold.max_declared}")
        self._metrics.models.labels(arena.name).set(len(state.models))
        self._metrics.boards.labels(arena.name).set(len(state.boards))
        self._metrics.unrated.labels(arena.name).set(state.unrated)
        self._metrics.folded.labels(arena.name).inc(folded.counted)
        self._metrics.dropped.labels(arena.name).inc(folded.dropped)

    def _forget(self, arena: RatedArena, gone: frozenset[str]) -> None:
        """Forget boards that are no more: the next save replaces the whole state, and their views are removed."""
        for names in (arena.unpublished, arena.unsaved, arena.round):
            names -= gone
        for name in gone:
            arena.bytes.pop(name, None)
            arena.starts.pop(name, None)
        arena.snapshots, arena.whole = Snapshots(), True
        arena.stale = True

    def _bound(self, arena: RatedArena, changed: Iterable[str]) -> None:
        """Check the memory limits of an arena and of all arenas together; raises `MemoryError`."""
        settings, state = self._settings.fold, arena.state
        arena.bytes |= {name: state.boards[name].nbytes for name in changed}
        before, arena.taken = arena.taken, sum(arena.bytes.values())
        self._taken += arena.taken - before
        self._metrics.arena_bytes.labels(arena.name).set(arena.taken)
        if arena.taken > settings.arena_bytes:
            self._empty(arena)
            raise MemoryError(f"its counts take more than ISONOMY_ARENA_BYTES={settings.arena_bytes} bytes")
        if self._taken > settings.worker_bytes and arena.taken > before:
            fair = settings.worker_bytes / len(self._arenas)
            most = arena if arena.taken > fair else max(self._arenas.values(), key=lambda each: each.taken)
            self._stop_for_all(most)

    def _stop_for_all(self, arena: RatedArena) -> None:
        """Stop an arena because all arenas together take too much memory."""
        self._empty(arena)
        self._stops.stop(
            arena, f"all arenas take more than ISONOMY_WORKER_BYTES={self._settings.fold.worker_bytes} bytes"
        )

    def _empty(self, arena: RatedArena) -> None:
        """Free an arena's counts; a retry loads them from the last save."""
        arena.state.boards.clear()
        arena.bytes.clear()
        self._taken, arena.taken = self._taken - arena.taken, 0

    def _fields(self, arena: RatedArena) -> dict[str, bytes]:
        return arena.snapshots.encode(arena.state, arena.unsaved)

    def _saved(self, arena: RatedArena) -> None:
        arena.snapshots.saved()
        arena.unsaved.clear()

    def _lost(self, arena: RatedArena) -> None:
        arena.unpublished.update(arena.state.boards)
        arena.unpublished_tiers.update(_EVERY_TIER)
        arena.snapshots = Snapshots()
        arena.published = 0
        if arena.solving:  # everything is solved again
            arena.solving.given_up.set()
            arena.solving = None
        arena.round.clear()

    def _shown_boards(self, arena: RatedArena) -> Iterable[str]:
        return arena.state.boards.keys() - arena.unpublished - (arena.solving.boards if arena.solving else set())

    async def _sweep(self, name: str, epoch: int, arena: RatedArena | None) -> None:
        if arena is None:
            await self._store.forget_arena(name, epoch, await self._store.board_views(name))
        else:
            await self._heed(arena, await self._store.prune(name, arena.epoch, set(arena.state.boards)))

    async def assigned(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        """Load the states and recount their memory: a state that was decoded may have been discarded."""
        await super().assigned(log, partitions)
        self._taken = sum(arena.taken for arena in self._arenas.values())

    async def _write_due(self, now: float) -> None:
        await super()._write_due(now)
        if now >= self._next_shown:
            self._next_shown = now + SHOWN_SECONDS
            for partition, shown in self._shown().items():
                await self._store.save_shown(partition, shown)

    def _shown(self) -> dict[int, Shown]:
        """Return up to which offset each partition is on the boards; only this fold knows which records change one."""
        shown = {number: Shown(held.reached, {}) for number, held in self._partitions.items()}
        for arena in self._arenas.values():
            if arena.stopped:
                continue  # reported as stopped: it does not make the partition's other boards late
            if not arena.unpublished and not arena.solving:
                arena.published = self._partitions[arena.partition].reached
            if arena.published < shown[arena.partition].reached:
                shown[arena.partition].behind[arena.name] = arena.published
        return shown

    async def _publish_due(self, arena: RatedArena, now: float, *, last: bool) -> None:
        if arena.solving:
            if not last and arena.solving.solved.done():
                await self._publish_solved(arena, arena.solving)
        elif arena.unpublished and (last or now >= arena.due):
            if not arena.slow and not self._is_large(arena):
                await self._refresh(arena)
            elif not last:  # the next owner solves all boards anyway
                await self._solve_beside(arena)
        else:
            arena.due = now  # after the arenas that have something to publish

    def _is_large(self, arena: RatedArena) -> bool:
        boards = arena.state.boards
        return any(len(boards[name].members) > LARGE_MODELS for name in arena.unpublished)

    async def _refresh(self, arena: RatedArena) -> None:
        """Solve the changed boards and publish them together with the changed tiers of the history."""
        began, position, texts = time.monotonic(), arena.state.position, {}
        names = sorted(arena.unpublished)
        for name in names:
            start = arena.starts.get(name)
            board, arena.starts[name] = make_board(
                arena.state,
                name,
                start=start,
                reweighted=self._settings.fold.reweighted,
                settings=self._book.of(arena.name),
            )
            texts[name] = _json(board)
            await asyncio.sleep(0)  # heartbeats; nothing folds meanwhile
            if time.monotonic() - began > self._slow_seconds() and len(texts) < len(names):
                arena.slow = True  # solve no more of its boards on the loop
                await self._solve_beside(arena)
                return
        if await self._publish(arena, texts, position, time.monotonic() - began):
            arena.unpublished.clear()
            arena.round.clear()
            arena.published = max(arena.published, position)
            self._measure(arena.state.arena, arena.state.recorded, arena.state.tstamp)

    def _slow_seconds(self) -> float:
        return SLOW_SECONDS if len(self._arenas) > 1 else SLOW_ALONE_SECONDS

    async def _solve_beside(self, arena: RatedArena) -> None:
        """Let the thread solve copies of some changed boards while the fold continues."""
        state, given_up = arena.state, Event()
        if not arena.round:
            arena.round, arena.round_position = set(arena.unpublished), state.position
        names, asked = sorted(arena.round)[:SLICE_BOARDS], deque[tuple[Question, dict[str, float] | None]]()
        for name in names:
            asked.append((ask(state, name), arena.starts.get(name)))
            await asyncio.sleep(0)  # heartbeats; nothing folds meanwhile
        solved = self._thread.submit(_solve, asked, self._settings.fold.reweighted, self._book.of(arena.name), given_up)
        arena.solving = Solving(frozenset(names), state.position, state.recorded, state.tstamp, solved, given_up)
        arena.unpublished.difference_update(names)

    async def _publish_solved(self, arena: RatedArena, solving: Solving) -> None:
        """Publish the boards that the thread has solved; raises the thread's exception, which stops the arena."""
        solved = solving.solved.result()
        exist = arena.state.boards.keys()  # a board may have gone meanwhile
        solved = replace(solved, texts={name: text for name, text in solved.texts.items() if name in exist})
        arena.starts |= {name: start for name, start in solved.starts.items() if name in exist}
        if await self._publish(arena, solved.texts, solving.position, solved.seconds):
            self._measure(arena.name, solving.recorded, solving.tstamp)
            arena.solving = None
            arena.unpublished |= (solving.boards & exist) - solved.texts.keys()
            arena.round -= solved.texts.keys()
            if not arena.round:  # all boards that had changed at `round_position` are published
                arena.published = max(arena.published, arena.round_position)

    async def _publish(self, arena: RatedArena, texts: dict[str, bytes], position: int, took: float) -> bool:
        """Publish boards; return whether Redis accepted them. Raises when Redis is down; they are published later."""
        began, solving = time.monotonic(), took
        message = {"arena": arena.name, "boards": sorted(texts), "ledger": position}
        if arena.unpublished_tiers:
            message["history"] = sorted(arena.unpublished_tiers)
        keys = self._settings.redis.keys
        values = {keys.board(arena.name, name): text for name, text in texts.items()}
        for tier, packed in encode_history(arena.state).items():
            if tier in arena.unpublished_tiers:
                values[keys.history(arena.name, tier)] = packed
        outcome = await self._store.publish(arena.name, arena.epoch, values, message, boards=sorted(texts))
        if outcome is WriteResult.DONE:
            arena.unpublished_tiers.clear()
            if arena.stale:
                await self._heed(arena, await self._store.prune(arena.name, arena.epoch, set(arena.state.boards)))
                arena.stale = False
        else:
            await self._heed(arena, outcome)
        took += time.monotonic() - began
        arena.slow = took > self._slow_seconds() / (2 if arena.slow else 1)
        self._metrics.refresh_seconds.observe(took)
        arena.due = began - solving + max(self._settings.fold.refresh_seconds, took / self._settings.fold.refresh_share)
        return outcome is WriteResult.DONE

    def _let_go(self) -> None:
        super()._let_go()
        self._taken = 0
        for arena in self._arenas.values():
            arena.taken = 0
            if arena.solving:
                arena.solving.given_up.set()

    def _prune_series(self, arena: str) -> None:
        super()._prune_series(arena)
        metrics = self._metrics
        for gauge in (metrics.models, metrics.boards, metrics.unrated, metrics.arena_bytes):
            gauge.remove(arena)
        for family in (metrics.folded, metrics.dropped, metrics.freshness_seconds, metrics.event_lag_seconds):
            family.remove(arena)

    def _measure(self, arena: str, recorded: int, tstamp: float) -> None:
        now = time.time()
        self._metrics.freshness_seconds.labels(arena).observe(max(0.0, now - recorded / 1000))
        self._metrics.event_lag_seconds.labels(arena).observe(max(0.0, now - tstamp))


def read_book(settings: FoldSettings) -> RatingsBook:
    """Read the operator's ratings settings; the defaults when no file is named. Raises `InvalidSetting`."""
    return read_file(settings.ratings_file, "ISONOMY_RATINGS_FILE", read_ratings_settings)


def _solve(
    asked: deque[tuple[Question, dict[str, float] | None]], reweighted: bool, settings: RatingsSettings, given_up: Event
) -> Solved:
    """Solve boards in order until none is left, `SLICE_SECONDS` have passed, or the result is no longer needed."""
    began = time.monotonic()
    texts: dict[str, bytes] = {}
    starts: dict[str, dict[str, float]] = {}
    while asked and not given_up.is_set() and (not texts or time.monotonic() - began < SLICE_SECONDS):
        question, start = asked.popleft()
        board, starts[question.board] = answer(question, start=start, reweighted=reweighted, settings=settings)
        texts[question.board] = _json(board)
    return Solved(texts, starts, time.monotonic() - began)
