"""Encode and decode an arena's fairness state: with checksums, and equal bit for bit after a round trip.

One record holds the whole state, because its parts are only consistent together. The exception is the history: it is
large, seldom changes and is published as the same bytes, so it has a field of its own, and the record holds its
checksum. Derived values (the policy in force, odds, levels) are recomputed. A state folded under other settings is
discarded, because its alerts follow other rules. Those alerts were emitted, so the refold has to resolve those that
no longer hold: `inherit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.fairness.alerts.lifecycle import Inherited, Opened, ended
from streams.fairness.arena.arrays import pack, unpack
from streams.fairness.arena.context import ArenaFacts, Scene
from streams.fairness.arena.sampling_policy import Play
from streams.fairness.arena.whole_policy import Epoch
from streams.fairness.detectors.catalog import BY_KIND, DETECTORS
from streams.fairness.detectors.silence import Rhythm
from streams.fairness.evidence_history import EvidenceHistory
from streams.fairness.fold_state import ArenaFairness, DetectorStates
from streams.fairness.settings import FairnessSettings
from streams.fold.checkpoint import DamagedState, narrow, seal, unseal
from streams.ledger.watermark import Watermark
from streams.ratings.counts import BoardCounts

VERSION = 7
FIELD, HISTORY_FIELD = "fairness", "history"
Integers = NDArray[np.integer]


class _BoardCells(msgspec.Struct):
    """Output of `BoardCounts.cells`, as narrow integers: steps between the ascending flat places, and the counts."""

    members: list[int]
    steps: Integers
    counts: Integers


class _Saved(msgspec.Struct):
    v: int
    arena: str
    settings: str
    position: int
    watermark: Watermark
    facts: ArenaFacts
    states: dict[str, msgspec.Raw]
    opened: Opened
    board: _BoardCells
    history: int
    inherited: Inherited = {}
    settled: list[str] = []


class _Clock(msgspec.Struct):
    clock: float


class _GivenUp(msgspec.Struct):
    """The fields of a saved state that `inherit` reads from a discarded one; other versions have them, too."""

    arena: str
    facts: _Clock
    opened: Opened
    inherited: Inherited = {}
    settled: list[str] = []


def encode_history(state: ArenaFairness) -> bytes:
    """Encode the state's history; return the same bytes object until the history changes."""
    return state.history.encode(state.arena, state.scene.facts.roster.subjects)


def encode_state(state: ArenaFairness) -> dict[str, bytes]:
    """Encode a state as fields that must be written together."""
    places, counts = state.scene.board.cells()
    history = encode_history(state)
    packed = pack(
        _Saved(
            v=VERSION,
            arena=state.arena,
            settings=state.scene.settings.digest,
            position=state.position,
            watermark=state.watermark,
            facts=state.scene.facts,
            states=_encode_states(state),
            opened=state.opened,
            board=_BoardCells(list(state.scene.board.members), narrow(np.diff(places, prepend=0)), narrow(counts)),
            history=crc32(history),
            inherited=state.inherited,
            settled=state.scene.settled,
        )
    )
    return {FIELD: seal(packed), HISTORY_FIELD: history}


def _encode_states(state: ArenaFairness) -> dict[str, msgspec.Raw]:
    kept = {each.kind.value: state.states.of(each) for each in BY_KIND}
    beside = {"epoch": state.scene.epoch, "rhythm": state.rhythm}
    return {name: msgspec.Raw(pack(value)) for name, value in {**kept, **beside}.items()}


def decode_state(fields: Mapping[str, bytes], settings: FairnessSettings) -> ArenaFairness:
    """Decode a state.

    Parameters
    ----------
    fields
        Output of `encode_state`.
    settings
        The arena's current settings.

    Raises
    ------
    DamagedState
        When the state is missing, fails its checksum, cannot be decoded, or was folded under other settings.
    """
    try:
        saved = unpack(unseal(fields[FIELD], "the fairness state"), _Saved)
        if saved.v != VERSION:
            raise DamagedState(f"version {saved.v}, this program reads {VERSION}")
        if saved.settings != settings.digest:
            raise DamagedState("folded under other settings")
        board = BoardCounts()
        if saved.board.members:
            places = np.cumsum(saved.board.steps.astype(np.int64))
            board.restore(saved.board.members, places, saved.board.counts, np.array(1000.0))
        if crc32(fields[HISTORY_FIELD]) != saved.history:
            raise DamagedState("the history fails its checksum")
        history = EvidenceHistory.decode(fields[HISTORY_FIELD])
        states = DetectorStates({each: unpack(saved.states[each.kind.value], each.state) for each in DETECTORS})
        epoch, rhythm = unpack(saved.states["epoch"], Epoch), unpack(saved.states["rhythm"], Rhythm)
        play = Play.of(saved.facts.roster, states.removed(len(saved.facts.roster)))
    except KeyError as error:
        raise DamagedState(f"field {error} is missing") from None
    except (msgspec.MsgspecError, ValueError, IndexError, TypeError) as error:
        raise DamagedState(str(error)) from error
    scene = Scene(saved.arena, settings, saved.facts, board, play, saved.settled, epoch)
    return ArenaFairness(scene, states, saved.opened, saved.watermark, saved.position, history, saved.inherited, rhythm)


def inherit(fields: Mapping[str, bytes], arena: str) -> tuple[Inherited, list[str]]:
    """Return the alerts of a discarded state that the refold may have to resolve, and the ids settled before.

    Both are empty when the state cannot be decoded: its alerts are then unknown.

    `ends_at` of each alert is the discarded state's clock of the votes, because other rules apply from there on. The
    clock is part of that state, so a resolution emitted again after a crash has the same bytes.
    """
    try:
        given_up = unpack(unseal(fields[FIELD], "the fairness state"), _GivenUp)
    except (KeyError, DamagedState, msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return {}, []
    if given_up.arena != arena:
        return {}, []
    # When an unfinished refold is discarded too, the alerts it had inherited win: their state was further along.
    ends = {each.alert.id: ended(each.alert, given_up.facts.clock) for each in given_up.opened.values()}
    return ends | given_up.inherited, given_up.settled
