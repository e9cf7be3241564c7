"""Helpers shared by the commands: settings with errors as `UserError`, `--format`, and a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import click

from services.cli.errors import UserError
from streams.contracts.connect import check_connections
from streams.contracts.names import as_json_escapes, shown
from streams.contracts.settings import InvalidSetting, Settings

Decorated = TypeVar("Decorated", bound=Callable[..., object])
"""A command's function: an option is added to it, and it stays what it was."""


def read_settings(**changes: str | None) -> Settings:
    """Read the settings from the environment; `changes` (variable to value) take precedence.

    Secrets and certificates are loaded once here, so that an unusable one is reported as a `UserError`.
    """
    environ = {**os.environ, **{name: value for name, value in changes.items() if value is not None}}
    try:
        settings = Settings.from_env(environ)
        check_connections(settings)
        return settings
    except InvalidSetting as error:
        raise UserError(str(error)) from None


def json_text(value: object, order: Literal["deterministic"] | None = None) -> str:
    """Return a value as JSON, with characters that a terminal would interpret escaped."""
    import msgspec

    return as_json_escapes(msgspec.json.encode(value, order=order).decode())


def format_option(command: Decorated) -> Decorated:
    """Add `--format table|json`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="For a person, or for a program.",
    )(command)


@contextmanager
def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show progress of `total` votes (None: unknown); yields a callback for the votes done since its last call."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False, emoji=False), transient=True) as bar:
        task = bar.add_task(shown(text), total=total)
        yield lambda done: bar.advance(task, done)
