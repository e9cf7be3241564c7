"""Up to where a ledger partition is on the boards in Redis: as a whole, and arena by arena where one lags. Pure."""

from __future__ import annotations

import msgspec

from streams.contracts.keys import number_of


class Shown(msgspec.Struct, frozen=True):
    """What the ratings fold says of one partition.

    `reached` is the offset up to which the boards count everything but that of the arenas in `behind`, which are on
    their boards up to theirs: one slow arena is no word about the others.
    """

    reached: int
    behind: dict[str, int] = {}

    @property
    def whole(self) -> int:
        """Up to where nothing at all is missing.

        >>> Shown(9, {"slow": 4}).whole, Shown(9, {"slow": 4}).of("slow"), Shown(9, {"slow": 4}).of("quick")
        (4, 4, 9)
        """
        return min(self.reached, *self.behind.values()) if self.behind else self.reached

    def of(self, arena: str) -> int:
        """Up to where an arena of the partition is on its boards."""
        return min(self.reached, self.behind.get(arena, self.reached))


_shown = msgspec.json.Decoder(Shown)


def encode_shown(shown: Shown) -> bytes:
    """Encode it for Redis."""
    return msgspec.json.encode(shown)


def read_shown(number: bytes | None, text: bytes | None) -> Shown | None:
    """Read what stands under `Keys.shown` and `Keys.lagging`; None when neither says anything that we write.

    Without the second, or where it does not say the same as the first (a worker of an earlier version has written
    since, or the two are just being written), all arenas are as far as the slowest.

    >>> read_shown(b"4", b'{"reached":9,"behind":{"slow":4}}').of("quick"), read_shown(b"4", None).of("quick")
    (9, 4)
    """
    whole = number_of(number)
    if text is not None:
        try:
            found = _shown.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = None
        if found is not None and found.whole == whole:
            return found
    return None if whole is None else Shown(whole)
