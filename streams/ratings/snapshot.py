"""An arena's state as bytes: compact, checked, and equal bit for bit when decoded.

Only counts above 0 are kept, each as its flat index and its value, in the narrowest integers that hold them. Each board
is a field, so that a save writes only the boards that changed; `meta` holds the rest and a checksum of every board,
which reveals a half-written or damaged state. The history's tiers are fields too, with the same bytes as published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.contracts.model import Model
from streams.contracts.view import OVERALL
from streams.fold.checkpoint import DamagedState, narrow, seal, unseal
from streams.ratings.counts import BoardCounts
from streams.ratings.fold import ArenaState
from streams.ratings.history import RatingsHistory
from streams.ratings.room import Seen
from streams.ratings.settings import RatingsSettings

VERSION = 4
META = "meta"
_UNSIGNED = ("|u1", "<u2", "<u4", "<u8")
_encode = msgspec.msgpack.Encoder().encode


class _History(msgspec.Struct):
    """History settings, and the checksum of each tier in `tiers`."""

    reweighted: bool
    settings: RatingsSettings
    began: int
    tiers: dict[str, int]


class _Meta(msgspec.Struct):
    v: int
    arena: str
    models: list[str]
    watermark: dict[str, int]
    registry: dict[str, Model]
    position: int
    recorded: int
    tstamp: float
    unrated: int
    boards: dict[str, int]
    history: _History | None
    strangers: list[int] | None = None
    seen_models: list[int] = []
    seen_boards: list[str] = []


class _FlatArray(msgspec.Struct):
    dtype: str
    data: bytes


class _SavedBoard(msgspec.Struct):
    members: list[int]
    gaps: _FlatArray
    counts: _FlatArray
    elo: _FlatArray


_read_meta = msgspec.msgpack.Decoder(_Meta).decode
_read_board = msgspec.msgpack.Decoder(_SavedBoard).decode


def board_field(name: str) -> str:
    """Name of the field that holds a board."""
    return f"board:{name}"


def history_field(tier: str) -> str:
    """Name of the field that holds a tier of the history."""
    return f"history:{tier}"


def encode_history(state: ArenaState) -> dict[str, bytes]:
    """Encode the tiers of a state's history by name; unchanged tiers return the same bytes object."""
    if state.history is None:
        return {}
    board, names = state.boards.get(OVERALL), list(state.models)
    return state.history.encode(state.arena, [names[number] for number in board.members] if board else [])


@dataclass(frozen=True, slots=True)
class _Held:
    """Checksums of the boards, and each history tier's bytes with their checksum."""

    boards: dict[str, int] = field(default_factory=dict)
    tiers: dict[str, tuple[bytes, int]] = field(default_factory=dict)


class Snapshots:
    """Encodes one arena's state, and remembers which parts of it Redis has acknowledged.

    Parts of a save that was refused or given up are encoded again for the next one. Otherwise `meta` would name the
    checksum of bytes that Redis never got.
    """

    def __init__(self) -> None:
        self._saved, self._offered = _Held(), _Held()

    def encode(self, state: ArenaState, changed: Iterable[str]) -> dict[str, bytes]:
        """Encode `meta`, and the boards and tiers that changed since the last `saved` (all of them before the first).

        Parameters
        ----------
        changed
            Boards that changed since the last `saved`.
        """
        fields = {}
        boards = {name: checksum for name, checksum in self._saved.boards.items() if name in state.boards}
        tiers = self._saved.tiers.copy()
        for name, board in state.boards.items():
            if name in changed or name not in boards:
                packed = fields[board_field(name)] = _encode_board(board)
                boards[name] = crc32(packed)
        for tier, packed in encode_history(state).items():
            if tier not in tiers or tiers[tier][0] is not packed:
                fields[history_field(tier)] = packed
                tiers[tier] = packed, crc32(packed)
        self._offered = _Held(boards, tiers)
        meta = _Meta(
            v=VERSION,
            arena=state.arena,
            models=list(state.models),
            watermark=state.watermark,
            registry=state.registry,
            position=state.position,
            recorded=state.recorded,
            tstamp=state.tstamp,
            unrated=state.unrated,
            boards=boards,
            history=None if state.history is None else _history(state.history, tiers),
            strangers=sorted(state.strangers),
            seen_models=sorted(state.seen.models),
            seen_boards=sorted(state.seen.boards),
        )
        packed = _encode(meta)
        return {**fields, META: seal(packed)}

    def saved(self) -> None:
        """Note that Redis holds the last encoded state."""
        self._saved = self._offered


def _history(history: RatingsHistory, tiers: Mapping[str, tuple[bytes, int]]) -> _History:
    return _History(
        history.reweighted, history.settings, history.began, {tier: each[1] for tier, each in tiers.items()}
    )


def decode_state(fields: Mapping[str, bytes]) -> ArenaState:
    """Decode a state.

    Raises
    ------
    DamagedState
        When a field is missing, fails its checksum or cannot be decoded.
    """
    try:
        meta = _read_meta(unseal(fields[META], "meta"))
        if meta.v != VERSION:
            raise DamagedState(f"version {meta.v}, this program reads {VERSION}")
        boards = {}
        for name, checksum in meta.boards.items():
            board = fields[board_field(name)]
            if crc32(board) != checksum:
                raise DamagedState(f"board {name} fails its checksum")
            boards[name] = _decode_board(board, len(meta.models))
        history = None if meta.history is None else _decode_history(meta.history, fields)
    except KeyError as error:
        raise DamagedState(f"field {error} is missing") from None
    except (msgspec.MsgspecError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise DamagedState(str(error)) from error
    return ArenaState(
        arena=meta.arena,
        models={name: number for number, name in enumerate(meta.models)},
        boards=boards,
        watermark=meta.watermark,
        registry=meta.registry,
        position=meta.position,
        recorded=meta.recorded,
        tstamp=meta.tstamp,
        unrated=meta.unrated,
        strangers=_strangers(meta),
        seen=Seen(_numbers(meta.seen_models, meta), set(meta.seen_boards)),
        history=history,
    )


def _strangers(meta: _Meta) -> set[int]:
    """Return the undeclared models; for an old state without this field, the models that are undeclared now."""
    if meta.strangers is None:
        return {number for number, name in enumerate(meta.models) if name not in meta.registry}
    return _numbers(meta.strangers, meta)


def _numbers(numbers: list[int], meta: _Meta) -> set[int]:
    if not all(0 <= number < len(meta.models) for number in numbers):
        raise DamagedState("strangers or seen models that are no models")
    return set(numbers)


def _decode_history(saved: _History, fields: Mapping[str, bytes]) -> RatingsHistory:
    packed = {}
    for tier, checksum in saved.tiers.items():
        packed[tier] = fields[history_field(tier)]
        if crc32(packed[tier]) != checksum:
            raise DamagedState(f"tier {tier} of the history fails its checksum")
    return RatingsHistory.decode(packed, saved.began, saved.reweighted, saved.settings)


def _encode_board(board: BoardCounts) -> bytes:
    places, counts = board.cells()
    return _encode(
        _SavedBoard(
            members=board.members,
            gaps=_flat(narrow(np.diff(places, prepend=0))),
            counts=_flat(narrow(counts)),
            elo=_flat(board.elo.astype("<f8")),
        )
    )


def _decode_board(packed: bytes, models: int) -> BoardCounts:
    saved = _read_board(packed)
    if len(set(saved.members)) < len(saved.members) or not all(0 <= member < models for member in saved.members):
        raise DamagedState("a board with members that are no models")
    places, counts, elo = np.cumsum(_wide(saved.gaps)), _wide(saved.counts), np.frombuffer(saved.elo.data, "<f8")
    if (
        len(places) != len(counts)
        or len(elo) != len(saved.members)
        or min(places.min(initial=0), counts.min(initial=0)) < 0
    ):
        raise DamagedState("a board whose arrays do not fit together")
    board = BoardCounts()
    board.restore(saved.members, places, counts, elo)
    return board


def _flat(array: NDArray[np.number]) -> _FlatArray:
    return _FlatArray(array.dtype.str, array.tobytes())


def _wide(array: _FlatArray) -> NDArray[np.int64]:
    if array.dtype not in _UNSIGNED:
        raise DamagedState(f"an array of type {array.dtype!r}")
    return np.frombuffer(array.data, array.dtype).astype(np.int64)
