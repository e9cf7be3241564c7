"""What a fold holds in this process, arenas and partitions, and why it may have to let go. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


class Fenced(RuntimeError):  # noqa: N818 -- what happened, in a word
    """Another process owns the arena now; this one must start again to learn what it owns."""


@dataclass(slots=True)
class Owned:
    """An arena in this process; subclasses add its state."""

    name: str
    partition: int
    epoch: int
    quiet_until: int = field(default=0, kw_only=True)
    """Nothing is published before this position: an owner before may have published up to there."""
    due: float = field(default=0.0, kw_only=True)
    """When it is published next, in monotonic seconds."""
    stopped: str = field(default="", kw_only=True)
    """Why nothing more of this arena is folded or published; empty while all is well."""
    stopped_at: float = field(default=0.0, kw_only=True)
    """When it stopped, epoch seconds."""
    told: str | None = field(default=None, kw_only=True)
    """What Redis says of that, as far as this process knows; None when it does not."""
    answered: bool = field(default=False, kw_only=True)
    """Whether a release that was asked for before the take-over has had its answer."""


@dataclass(slots=True)
class Partition:
    """A ledger partition in this process."""

    position: int
    """Offset after the last record that was folded."""
    reached: int
    """Offset up to which the partition was read: at or behind the position, for not every offset is a record's."""
    quiet_until: int
    """The ledger's end when all arenas were claimed: the owner before may have published up to there, so nothing is
    published before, or readers would see the past run by."""
    refold_until: int
    """The same of a refold, which may have been begun by an owner before this one; 0 when there is none."""
    tail: int
    """Checksum of the record before `position`."""
    saved_position: int
    unswept: dict[str, int] = field(default_factory=dict)
    """Arenas whose views in Redis may be of another ledger, each with its last owner's epoch: those that were there
    before the ledger's end was asked, for a later one may be of a record behind it."""
    stopped: bool = False
    """True when a batch of it cannot be read: to fold on would publish numbers made from a part of the votes."""

    @property
    def refolding(self) -> int:
        """Where a refold that is not over yet ends; 0 when there is none."""
        return self.refold_until if self.reached < self.refold_until else 0
