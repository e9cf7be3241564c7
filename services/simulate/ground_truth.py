"""The truth: what was done to which model and when, to evaluate detectors against."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Deed(StrEnum):
    """The kinds of things done to a model or the arena; a closed set."""

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
    PAIRING = "pairing"
    SIDE = "side"
    STRATUM = "stratum"
    LOSE = "lose"
    RETELL = "retell"
    BOTS = "bots"
    LEAN = "lean"
    MISSTATE = "misstate"
    INVENT = "invent"


BLEMISHES = frozenset(Deed) - {
    Deed.JOINED,
    Deed.RESTORED,
    Deed.PUBLISHED,
    Deed.WEIGHT,
    Deed.STRENGTH,
    Deed.UNREGISTERED,
}
"""A model without any of these is healthy: an alert about it is a false alarm."""


class TruthEvent(msgspec.Struct, kw_only=True):
    """One thing that was done.

    Attributes
    ----------
    battle
        Battles drawn before it.
    row
        Rows of the ledger before it, None until the simulation reaches it. Less than `battle` if battles without a
        vote are not sent.
    tstamp
        Time of the last battle before it, None until the simulation reaches it.
    models
        The affected models; empty for an arena-wide event.
    detail
        Its parameters.
    """

    battle: int
    deed: Deed
    models: list[str]
    detail: dict[str, float | str] = {}
    row: int | None = None
    tstamp: float | None = None


class ModelTruth(msgspec.Struct, kw_only=True, frozen=True):
    """A model and what was done to it: [battle, deed] pairs, in order."""

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
        """Return the models with this deed, each with the battle of its last occurrence."""
        return {
            name: max(battle for battle, done in fate.deeds if done == deed)
            for name, fate in self.models.items()
            if any(done == deed for _, done in fate.deeds)
        }

    @property
    def silently_removed(self) -> dict[str, int]:
        """Models dropped by the sampler while the registry says active, whether or not restored later."""
        return self.of(Deed.SILENT_REMOVAL)

    @property
    def still_removed(self) -> dict[str, int]:
        """Models silently removed and not restored."""
        back = self.of(Deed.RESTORED)
        return {name: battle for name, battle in self.silently_removed.items() if back.get(name, -1) < battle}

    @property
    def announced(self) -> dict[str, int]:
        """Models announced as deprecated, whether or not retired later."""
        return self.of(Deed.ANNOUNCED)

    @property
    def unannounced(self) -> dict[str, int]:
        """Public models retired, set to weight 0 or taken off the registry without the required notice."""
        return self.of(Deed.RETIRED_UNANNOUNCED)

    @property
    def withdrawn(self) -> dict[str, int]:
        """Private variants withdrawn and never published."""
        return self.of(Deed.WITHDRAWN)

    @property
    def published(self) -> dict[str, int]:
        """Private variants made public."""
        return self.of(Deed.PUBLISHED)

    @property
    def undeclared(self) -> dict[str, int]:
        """Models in battles without a record in the registry."""
        return self.of(Deed.UNDECLARED)

    @property
    def healthy(self) -> set[str]:
        """Models to which nothing was done that should raise an alert about the model itself."""
        return {name for name, fate in self.models.items() if not any(done in BLEMISHES for _, done in fate.deeds)}

    @property
    def gone(self) -> set[str]:
        """Models that the sampler no longer draws at the end, for any reason."""
        ended = {
            Deed.RETIRED_ANNOUNCED,
            Deed.RETIRED_UNANNOUNCED,
            Deed.WITHDRAWN,
        }
        return set(self.still_removed) | {
            name for name, fate in self.models.items() if any(done in ended for _, done in fate.deeds)
        }
