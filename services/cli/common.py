"""What commands share: settings as a person's mistake would have them reported, and the `--format` option."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

import click

from services.cli.errors import UserError
from streams.contracts.connect import check_connections
from streams.contracts.names import as_json_escapes
from streams.contracts.settings import InvalidSetting, Settings


def read_settings(**changes: str | None) -> Settings:
    """Read the settings from the environment, with `changes` (variable to value) in front of it.

    Secrets and certificates are read once, so that one that cannot be used is told in a sentence.
    """
    environ = {**os.environ, **{name: value for name, value in changes.items() if value is not None}}
    try:
        settings = Settings.from_env(environ)
        check_connections(settings)
        return settings
    except InvalidSetting as error:
        raise UserError(str(error)) from None


def json_text(value: Any, order: Literal["deterministic"] | None = None) -> str:
    """JSON of a value, with every character written out that would do something to a terminal."""
    import msgspec

    return as_json_escapes(msgspec.json.encode(value, order=order).decode())


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--format table|json`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="For a person, or for a program.",
    )(command)
