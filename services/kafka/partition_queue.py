"""One partition's queue: records that arrive while a batch is in flight are sent together as the next one.

So single votes of many requests share batches without waiting for a timer: an idle lane sends at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Record = tuple[bytes, bytes | None]
"""Key and value; no value removes the key from a compacted topic."""


class BatchBuilder(Protocol):
    """What a queue needs of aiokafka's builder of one record batch."""

    def append(self, *, timestamp: int | None, key: bytes, value: bytes | None) -> object:
        """Add a record; None if the batch is full."""

    def record_count(self) -> int:
        """Return the number of records in the batch."""


@dataclass(slots=True, eq=False)
class Parcel:
    """Records of one request for one partition; `done` is set when Kafka has acknowledged them all."""

    records: Sequence[Record]
    done: asyncio.Future[None]

    def release(self) -> None:
        """Drop the records: the parcel may be queued behind a batch that hangs."""
        self.records = ()


@dataclass(slots=True)
class Batch:
    """One record batch: aiokafka's builder, the parcels with records in it, and those whose last record is in it."""

    builder: BatchBuilder
    parcels: list[Parcel]
    ending: list[Parcel]


def pack(parcels: Iterable[Parcel], new_builder: Callable[[], BatchBuilder]) -> Iterator[Batch]:
    """Fill batches in order; a parcel may span several. Parcels that are done or cancelled are left out."""
    batch = Batch(new_builder(), [], [])
    for parcel in parcels:
        if parcel.done.done():
            continue
        append = batch.builder.append
        riding = False
        for key, value in parcel.records:
            if append(timestamp=None, key=key, value=value) is None:  # full
                yield batch
                batch, riding = Batch(new_builder(), [], []), False
                append = batch.builder.append
                if append(timestamp=None, key=key, value=value) is None:
                    raise ValueError(f"a record of {len(value or b'')} bytes does not fit into an empty batch")
            if not riding:
                batch.parcels.append(parcel)
                riding = True
        batch.ending.append(parcel)
    if batch.parcels:
        yield batch


class Lane:
    """Sends one partition's records in the order in which they were queued, one batch at a time.

    Parameters
    ----------
    new_builder
        Makes an empty batch builder.
    send
        Sends a builder's records and returns once they are acknowledged; raises when they are not.
    """

    def __init__(
        self, new_builder: Callable[[], BatchBuilder], send: Callable[[BatchBuilder], Awaitable[None]]
    ) -> None:
        self._new_builder = new_builder
        self._send = send
        self._waiting: list[Parcel] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, records: Sequence[Record]) -> asyncio.Future[None]:
        """Queue records; the future is done once they are acknowledged, or has the error."""
        loop = asyncio.get_running_loop()
        parcel = Parcel(records, loop.create_future())
        parcel.done.add_done_callback(lambda _: parcel.release())  # done or cancelled: free the records
        self._waiting.append(parcel)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return parcel.done

    async def _run(self) -> None:
        while self._waiting:
            parcels, self._waiting = self._waiting, []
            try:
                for batch in pack(parcels, self._new_builder):
                    await self._send_batch(batch)
            except asyncio.CancelledError:
                _fail(parcels, ConnectionAbortedError("the gateway stops"))
                raise
            except Exception as error:  # noqa: BLE001 -- any error is the answer to these requests
                _fail(parcels, error)

    async def _send_batch(self, batch: Batch) -> None:
        try:
            await self._send(batch.builder)
        except Exception as error:  # noqa: BLE001 -- as above; the next batch may succeed
            _fail(batch.parcels, error)
        else:
            for parcel in batch.ending:
                if not parcel.done.done():
                    parcel.done.set_result(None)


def _fail(parcels: Iterable[Parcel], error: Exception) -> None:
    for parcel in parcels:
        if not parcel.done.done():
            parcel.done.set_exception(error)
