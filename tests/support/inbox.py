"""An inbox for the mail server of tests."""

from __future__ import annotations

from typing import Any


class Inbox:
    """Keeps each message with its recipients; a handler of aiosmtpd."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        """Accept a message."""
        self.letters.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 taken"
