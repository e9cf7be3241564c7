"""A user's mistake, or a service that is away: one sentence, no stack trace."""

from __future__ import annotations

import click

from streams.contracts.names import shown


class UserError(click.ClickException):
    """Printed as `Error: …`; the process exits with 1. A stranger's name in it does nothing to the terminal."""

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(shown, message.split("\n"))))


class KafkaAway(UserError):  # noqa: N818 -- what is so
    """Kafka does not answer: a person is told, a process waits for it."""
