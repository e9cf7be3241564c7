"""A user's mistake, or a service that is away: one sentence, no stack trace."""

from __future__ import annotations

import click


class UserError(click.ClickException):
    """Printed as `Error: …`; the process exits with 1."""


class KafkaAway(UserError):  # noqa: N818 -- what is so
    """Kafka does not answer: a person is told, a process waits for it."""
