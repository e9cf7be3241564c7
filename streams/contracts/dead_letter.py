"""The dead letter: a refused record with its original bytes, and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from streams.contracts.reasons import Reason

REDRIVEN = "redriven"
"""Header of a letter that only reports that its record was sent again, and when."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused record.

    `value` and `key` are the original bytes. A crash may write the same letter twice: `place` names the record, and a
    reader that keeps one per place sees each refused record once.

    For a batch that cannot be read, `value` is the batch as stored in the log, header included; it spans the records
    from `offset` to `last_offset`.

    `cut` is the original size of key and value in bytes when together they are too large for the topic even compressed:
    the letter then holds the beginning of each, and only the record at `place` has the rest.
    """

    topic: str
    partition: int
    offset: int
    reason: Reason
    detail: str
    key: bytes | None
    value: bytes | None
    last_offset: int | None = None
    cut: int | None = None

    @property
    def place(self) -> bytes:
        """Place of the refused record, `topic/partition/offset`; the key of its dead letter."""
        return f"{self.topic}/{self.partition}/{self.offset}".encode()

    def beginning(self, most: int) -> DeadLetter:
        """Make a letter with at most `most` bytes of key and value."""
        size = len(self.key or b"") + len(self.value or b"")
        key, value = (None if each is None else each[: most // 2] for each in (self.key, self.value))
        return replace(self, key=key, value=value, cut=size)

    def headers(self) -> list[tuple[str, bytes]]:
        """Headers of the dead letter; `key` is absent when the record had none."""
        headers = [
            ("reason", self.reason.value.encode()),
            ("detail", self.detail.encode("utf-8", "backslashreplace")[:1024].decode("utf-8", "ignore").encode()),
            ("topic", self.topic.encode()),
            ("partition", str(self.partition).encode()),
            ("offset", str(self.offset).encode()),
        ]
        if self.last_offset is not None:
            headers.append(("last_offset", str(self.last_offset).encode()))
        if self.cut is not None:
            headers.append(("cut", str(self.cut).encode()))
        return headers if self.key is None else [*headers, ("key", self.key)]


def read_dead_letter(headers: Mapping[str, bytes], value: bytes | None) -> DeadLetter:
    """Decode a dead letter; raises `KeyError` or `ValueError` when it is not one."""
    return DeadLetter(
        topic=headers["topic"].decode(),
        partition=int(headers["partition"]),
        offset=int(headers["offset"]),
        reason=Reason(headers["reason"].decode()),
        detail=headers.get("detail", b"").decode(),
        key=headers.get("key"),
        value=value,
        last_offset=int(headers["last_offset"]) if "last_offset" in headers else None,
        cut=int(headers["cut"]) if "cut" in headers else None,
    )
