"""Options of a leaderboard request: its rating (the same lines in another order) and its format. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Rating(StrEnum):
    """The rating by which a board is ordered."""

    BT = "bt"
    """Bradley-Terry: the field `rating`, to which `rank`, `lower` and `upper` belong."""
    DAVIDSON = "davidson"
    """Davidson's model: ties counted as ties."""
    ELO = "elo"
    """Elo, which depends on the order of the votes."""


class Format(StrEnum):
    """Format of a leaderboard."""

    JSON = "json"
    """As it was published."""
    CSV = "csv"
    """In the columns of the public leaderboard data set."""


class _RatedLine(msgspec.Struct):
    davidson: float | None
    elo: float


_board = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_line = msgspec.json.Decoder(_RatedLine)
_encode = msgspec.json.Encoder().encode


def reorder(board: bytes, rating: Rating) -> bytes:
    """Order the lines by `davidson` or `elo`, highest first, those without it last; the lines stay as they are.

    `ordered_by` names the rating; `rank` stays that of Bradley-Terry.

    >>> board = b'{"models":[{"model":"x","davidson":null,"elo":2},{"model":"y","davidson":1,"elo":1}]}'
    >>> reorder(board, Rating.DAVIDSON)
    b'{"models":[{"model":"y","davidson":1,"elo":1},{"model":"x","davidson":null,"elo":2}],"ordered_by":"davidson"}'
    """
    fields = _board.decode(board)
    lines = _raws.decode(fields["models"])
    lines.sort(key=lambda line: _key(getattr(_line.decode(line), rating.value)))
    whole: dict[str, object] = {**fields, "models": lines, "ordered_by": rating.value}
    return _encode(whole)


def _key(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0.0))
