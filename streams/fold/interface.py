"""What a fold is: all that the life cycle, which every fold shares, has to be told of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from streams.fold.partition import Owned
from streams.ledger.codec import Block, Notice

A = TypeVar("A", bound=Owned)


class Fold(ABC, Generic[A]):
    """Ledger records in, something of each arena out; `A` is an arena with the fold's state of it."""

    @abstractmethod
    def _new(self, owned: Owned, position: int) -> A:
        """Begin an arena of which nothing is known."""

    @abstractmethod
    def _restored(self, owned: Owned, fields: Mapping[str, bytes]) -> A:
        """Read an arena back; raises `DamagedState`."""

    @abstractmethod
    def _position(self, arena: A) -> int:
        """Offset of the next ledger record that the arena's state wants."""

    @abstractmethod
    def _advance(self, arena: A, position: int) -> None:
        """Set that offset."""

    @abstractmethod
    def _fold(self, arena: A, record: Block | Notice) -> None:
        """Fold a record, and note what has to be published and saved."""

    @abstractmethod
    def _fields(self, arena: A) -> dict[str, bytes]:
        """Encode what has to be saved."""

    @abstractmethod
    def _saved(self, arena: A) -> None:
        """Note that it is saved."""

    @abstractmethod
    def _lost(self, arena: A) -> None:
        """Note that everything has to be published and saved again."""

    @abstractmethod
    async def _publish_due(self, arena: A, now: float, *, last: bool) -> None:
        """Publish what is due; everything when it is the last time."""

    def _shown_boards(self, arena: A) -> Iterable[str]:
        """Name the boards that this process has published as they are now."""
        return ()

    async def _tell_due(self, arena: A, now: float) -> None:
        """Tell what does not go through Redis; it is told of all arenas before Redis, which may be away, is asked."""

    @abstractmethod
    async def _sweep(self, name: str, epoch: int, arena: A | None) -> None:
        """Remove from Redis what the ledger does not hold; `arena` is None when it holds nothing of that name.

        `epoch` is that of the last owner when its views were found: a later one's are not touched.
        """

    def _inherit(self, arena: A, fields: Mapping[str, bytes]) -> None:
        """Take over what a saved state that is given up leaves to be done, when it can be read."""

    async def _before_saving(self, arena: A) -> None:
        """Make sure that what a saved position leaves behind is done."""
