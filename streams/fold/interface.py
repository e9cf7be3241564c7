"""The interface of a fold: the methods that the shared life cycle calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from streams.fold.partition import Owned
from streams.ledger.codec import Block, Notice

A = TypeVar("A", bound=Owned)


class Fold(ABC, Generic[A]):
    """Folds ledger records and publishes views per arena; `A` is an arena with this fold's state."""

    @abstractmethod
    def _new(self, owned: Owned, position: int) -> A:
        """Create an arena without saved state."""

    @abstractmethod
    def _restored(self, owned: Owned, fields: Mapping[str, bytes]) -> A:
        """Decode a saved arena; raises `DamagedState`."""

    @abstractmethod
    def _position(self, arena: A) -> int:
        """Offset of the next ledger record that the arena's state needs."""

    @abstractmethod
    def _advance(self, arena: A, position: int) -> None:
        """Set that offset."""

    @abstractmethod
    def _fold(self, arena: A, record: Block | Notice) -> None:
        """Fold a record, and note what must be published and saved."""

    @abstractmethod
    def _fields(self, arena: A) -> dict[str, bytes]:
        """Encode the fields that must be saved."""

    @abstractmethod
    def _saved(self, arena: A) -> None:
        """Note that the fields were saved."""

    @abstractmethod
    def _lost(self, arena: A) -> None:
        """Note that everything must be published and saved again."""

    @abstractmethod
    async def _publish_due(self, arena: A, now: float, *, last: bool) -> None:
        """Publish what is due; everything when `last`."""

    def _shown_boards(self, arena: A) -> Iterable[str]:
        """Name the boards that this process has published as they are now."""
        return ()

    async def _tell_due(self, arena: A, now: float) -> None:
        """Emit what does not go through Redis; called for all arenas before Redis, which may be down, is used."""

    @abstractmethod
    async def _sweep(self, name: str, epoch: int, arena: A | None) -> None:
        """Remove from Redis what the ledger does not hold; `arena` is None when the ledger has no arena of that name.

        `epoch` is the last owner's when the views were found; the views of a later owner are kept.
        """

    def _inherit(self, arena: A, fields: Mapping[str, bytes]) -> None:
        """Take over open obligations, such as alerts to resolve, from a discarded saved state, if it can be decoded."""

    async def _before_saving(self, arena: A) -> None:
        """Finish what the records before the saved position require, because they are not folded again."""
