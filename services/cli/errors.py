"""Errors reported as one sentence without a stack trace: a user's mistake, or a service that is away."""

from __future__ import annotations

import click

from streams.contracts.names import shown


class UserError(click.ClickException):
    """Printed as `Error: …`; the process exits with 1. Characters that a terminal would interpret are escaped."""

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(shown, message.split("\n"))))


class KafkaAway(UserError):  # noqa: N818 -- the name states the condition
    """Kafka does not answer: a command reports it, a process waits."""
