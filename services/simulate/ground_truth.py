"""The truth: what was done to whom and when, so that a detector can be judged."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Deed(StrEnum):
    """What can happen; a closed set."""

    JOINED = "joined"
    SILENT_REMOVAL = "silent_removal"
    RESTORED = "restored"
    ANNOUNCED = "announced"
    RETIRED_ANNOUNCED = "retired_announced"
    RETIRED_UNANNOUNCED = "retired_unannounced"
    WITHDRAWN = "withdrawn"
    UNREGISTERED = "unregistered"  # after its end was declared
    PUBLISHED = "published"
    WEIGHT = "weight"
    SHARE = "share"
    UNDECLARED = "undeclared"
    FINISH = "finish"
    STRENGTH = "strength"
    PROMPTS = "prompts"
    FLOOD = "flood"
    OUTAGE = "outage"
    ZEROS = "zeros"


BLEMISHES = frozenset(Deed) - {
    Deed.JOINED,
    Deed.RESTORED,
    Deed.PUBLISHED,
    Deed.WEIGHT,
    Deed.STRENGTH,
    Deed.UNREGISTERED,
}
"""A model none of these happened to is healthy: whoever accuses it is wrong."""


class TruthEvent(msgspec.Struct, kw_only=True):
    """One thing that was done.

    Attributes
    ----------
    battle
        Battles drawn before it.
    row
        Rows of the ledger before it, None until the simulation came so far. Less than `battle` where battles without a
        vote are not sent.
    tstamp
        Of the last battle before it, None until then.
    models
        To whom; none when to the whole arena.
    detail
        Its numbers.
    """

    battle: int
    deed: Deed
    models: list[str]
    detail: dict[str, float | str] = {}
    row: int | None = None
    tstamp: float | None = None


class ModelTruth(msgspec.Struct, kw_only=True, frozen=True):
    """A model, and what became of it, as [battle, deed], in order."""

    provider: str
    license: str
    family: str | None
    deeds: list[tuple[int, Deed]]


class Truth(msgspec.Struct, kw_only=True):
    """Everything that a simulation did, up to its last battle."""

    scenario: str
    arena: str
    seed: int
    battles: int
    events: list[TruthEvent]
    models: dict[str, ModelTruth]

    def of(self, deed: Deed | str) -> dict[str, int]:
        """Models that something was done to, with the battle of the last time."""
        return {
            name: max(battle for battle, done in fate.deeds if done == deed)
            for name, fate in self.models.items()
            if any(done == deed for _, done in fate.deeds)
        }

    @property
    def silently_removed(self) -> dict[str, int]:
        """Dropped by the sampler while the registry says active, whether restored later or not."""
        return self.of(Deed.SILENT_REMOVAL)

    @property
    def still_removed(self) -> dict[str, int]:
        """Silently removed and not restored."""
        back = self.of(Deed.RESTORED)
        return {name: battle for name, battle in self.silently_removed.items() if back.get(name, -1) < battle}

    @property
    def announced(self) -> dict[str, int]:
        """Announced as deprecated, whether retired later or not."""
        return self.of(Deed.ANNOUNCED)

    @property
    def unannounced(self) -> dict[str, int]:
        """Public and retired, set to weight 0 or taken off the registry without the notice owed."""
        return self.of(Deed.RETIRED_UNANNOUNCED)

    @property
    def withdrawn(self) -> dict[str, int]:
        """Private variants taken back, never published."""
        return self.of(Deed.WITHDRAWN)

    @property
    def published(self) -> dict[str, int]:
        """Private variants made public."""
        return self.of(Deed.PUBLISHED)

    @property
    def undeclared(self) -> dict[str, int]:
        """In battles without a record in the registry."""
        return self.of(Deed.UNDECLARED)

    @property
    def healthy(self) -> set[str]:
        """Nothing that calls for an alarm about the model itself was done to them."""
        return {name for name, fate in self.models.items() if not any(done in BLEMISHES for _, done in fate.deeds)}

    @property
    def gone(self) -> set[str]:
        """Not drawn any more at the end, for whatever reason."""
        ended = {
            Deed.RETIRED_ANNOUNCED,
            Deed.RETIRED_UNANNOUNCED,
            Deed.WITHDRAWN,
        }
        return set(self.still_removed) | {
            name for name, fate in self.models.items() if any(done in ended for _, done in fate.deeds)
        }
