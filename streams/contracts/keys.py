"""The Redis keys. The hash tag `{arena}` marks what belongs to one arena; Redis Cluster is not supported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_DIGITS = 18
"""Maximum digits of a number that every database accepts."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of all keys under one prefix.

    >>> Keys().board("text", "overall")
    'isonomy:{text}:board:overall'
    """

    prefix: str = "isonomy"

    @property
    def arenas(self) -> str:
        """Set of arenas that have a published view."""
        return f"{self.prefix}:arenas"

    def board(self, arena: str, board: str) -> str:
        """String: one board as JSON, written whole."""
        return f"{self.prefix}:{{{arena}}}:board:{board}"

    def boards(self, arena: str) -> str:
        """Set of the arena's board names."""
        return f"{self.prefix}:{{{arena}}}:boards"

    def fairness(self, arena: str) -> str:
        """String: shares, declared shares, evidence and counts as JSON, written whole with the alerts."""
        return f"{self.prefix}:{{{arena}}}:fairness"

    def alerts(self, arena: str) -> str:
        """String: the alerts that fire as JSON, written whole with the fairness view."""
        return f"{self.prefix}:{{{arena}}}:alerts"

    def history(self, arena: str, part: str) -> str:
        """String: a part of the history, msgpack: ratings by `day`, `hour` or `minute`, or `evidence`."""
        return f"{self.prefix}:{{{arena}}}:history:{part}"

    def state(self, arena: str, fold: str) -> str:
        """Hash: snapshot of a fold, its watermark, ledger position, owner's epoch and serial, written atomically."""
        return f"{self.prefix}:{{{arena}}}:state:{fold}"

    def stopped(self, arena: str, fold: str) -> str:
        """String: since when a fold has stopped the arena, and why, as JSON; absent while it runs."""
        return f"{self.prefix}:{{{arena}}}:stopped:{fold}"

    def release(self, arena: str, fold: str) -> str:
        """Hash: there while the operator asks the fold to try the arena again."""
        return f"{self.prefix}:{{{arena}}}:release:{fold}"

    def changed(self, arena: str) -> str:
        """Pub/sub channel: one JSON message after each publish."""
        return f"{self.prefix}:{{{arena}}}:changed"

    def partition(self, partition: int, fold: str) -> str:
        """String: which arenas a ledger partition was known to hold, up to which offset."""
        return f"{self.prefix}:ledger:{partition}:{fold}"

    def shown(self, partition: int) -> str:
        """String: offset of a ledger partition up to which the boards here count everything."""
        return f"{self.prefix}:ledger:{partition}:shown"

    def lagging(self, partition: int) -> str:
        """String: the arenas of a ledger partition whose boards here lag behind the others, as JSON."""
        return f"{self.prefix}:ledger:{partition}:lagging"


def names_of(members: Iterable[bytes | str]) -> list[str]:
    """Return the members of a set that are names, sorted; a member that is not text is foreign and left out.

    >>> names_of({b"text", b"code", bytes([255])})
    ['code', 'text']
    """
    return sorted(member.decode() for member in members if isinstance(member, bytes) and _is_text(member))


def number_of(text: bytes | str | None) -> int | None:
    """Decode a count or an offset; None when it is not a value that we write.

    >>> number_of(b"17"), number_of(b"-1"), number_of(b"9" * 5_000), number_of(None)
    (17, None, None, None)
    """
    return int(text) if isinstance(text, bytes) and text.isdigit() and len(text) <= _DIGITS else None


def _is_text(member: bytes) -> bool:
    try:
        member.decode()
    except UnicodeDecodeError:
        return False
    return True
