"""The offset up to which the boards in Redis count a ledger partition, and those of arenas that lag. Pure."""

from __future__ import annotations

import msgspec

from streams.contracts.keys import number_of


class Shown(msgspec.Struct, frozen=True):
    """The progress that the ratings fold publishes for one partition.

    `reached` is the offset up to which the boards count everything, except the arenas in `behind`, each with its own
    offset: a slow arena does not make the others look late.
    """

    reached: int
    behind: dict[str, int] = {}

    @property
    def whole(self) -> int:
        """Offset up to which no arena's boards lack anything.

        >>> Shown(9, {"slow": 4}).whole, Shown(9, {"slow": 4}).of("slow"), Shown(9, {"slow": 4}).of("quick")
        (4, 4, 9)
        """
        return min(self.reached, *self.behind.values()) if self.behind else self.reached

    def of(self, arena: str) -> int:
        """Offset up to which an arena's boards count the partition."""
        return min(self.reached, self.behind.get(arena, self.reached))


_shown = msgspec.json.Decoder(Shown)


def encode_shown(shown: Shown) -> bytes:
    """Encode the arenas' progress for the key `lagging`."""
    return msgspec.json.encode(shown)


def read_shown(number: bytes | None, text: bytes | None) -> Shown | None:
    """Decode the values of `Keys.shown` and `Keys.lagging`; None when neither is a value that we write.

    Without the second, or where it does not agree with the first (a worker of an earlier version has written since, or
    the two are just being written), all arenas count as far as the slowest.

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
