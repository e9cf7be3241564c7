"""The arenas and partitions that a fold owns in this process, and the error that ends ownership. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


class ArenaFenced(RuntimeError):  # noqa: N818 -- what happened, in a word
    """Another process owns the arena now; this one must restart to learn what it owns."""


@dataclass(slots=True)
class Owned:
    """An arena in this process; subclasses add its state."""

    name: str
    partition: int
    epoch: int
    quiet_until: int = field(default=0, kw_only=True)
    """Publish nothing before this position: an earlier owner may have published up to it."""
    due: float = field(default=0.0, kw_only=True)
    """Time of the next publication, monotonic seconds."""
    whole: bool = field(default=False, kw_only=True)
    """Whether the next save replaces the state, which has fields that are not needed any more."""
    stopped: str = field(default="", kw_only=True)
    """Why the fold stopped this arena; empty while it runs."""
    stopped_at: float = field(default=0.0, kw_only=True)
    """When it stopped, epoch seconds."""
    told: str | None = field(default=None, kw_only=True)
    """The value of `stopped` that this process last wrote to Redis; None when unknown."""
    answered: bool = field(default=False, kw_only=True)
    """Whether a release that was requested before the take-over has been answered."""


@dataclass(slots=True)
class Partition:
    """A ledger partition in this process."""

    position: int
    """Offset after the last record that was folded."""
    reached: int
    """Offset up to which the partition was read: at or after `position`, because some offsets hold no record."""
    quiet_until: int
    """The ledger's end when all arenas were claimed. The previous owner may have published up to it, so suppress
    publishing until this offset: readers would see old boards replayed."""
    refold_until: int
    """The same for a refold, which an earlier owner may have started; 0 when there is none."""
    tail: int
    """Checksum of the record before `position`."""
    saved_position: int
    unswept: dict[str, int] = field(default_factory=dict)
    """Arenas whose views in Redis may come from another ledger, each with its last owner's epoch. Only arenas found
    before the ledger's end was requested: a later one may come from a record after that end."""
    stopped: bool = False
    """True when the partition cannot be folded completely: to continue would publish numbers from some of the votes."""

    @property
    def refolding(self) -> int:
        """Offset at which the refold in progress ends; 0 when there is none."""
        return self.refold_until if self.reached < self.refold_until else 0
