"""How a command reads votes: its options, stopping at unreadable rows, and the summary lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

import click

from services.cli.common import Decorated
from services.cli.errors import UserError
from services.sources import VoteSource, open_source
from services.sources.layout import MEANINGS, shipped
from services.sources.votes import ReadingKeywords
from streams.contracts.names import shown

if TYPE_CHECKING:
    from services.sources.summary import Summary

EXIT_CODES = (
    "\b\nExit codes:\n  0  every row was counted, or excluded by a rule that the account names\n"
    "  1  stopped: something cannot be read\n  2  wrong usage of the command\n"
    "  3  done, without the rows that --drop-unreadable dropped"
)
DROPPED = 3

FORMS = {"--columns": "FIELD=COLUMN", "--words": "WORD=MEANING", "--only": "COLUMN=VALUE"}


class GivenOptions(TypedDict):
    """What click passes for the options of `source_options`."""

    columns: tuple[str, ...]
    layout: str | None
    words: tuple[str, ...]
    winner_is: Literal["name", "side"] | None
    only: tuple[str, ...]
    drop_unreadable: bool


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options given for SOURCE; fields as in `open_source`."""

    columns: dict[str, str] | None = None
    layout: str | None = None
    words: dict[str, str] | None = None
    by: Literal["name", "side"] | None = None
    only: dict[str, list[str]] | None = None
    drop: bool = False

    @property
    def keywords(self) -> ReadingKeywords:
        """Keywords of `open_source`, without `columns`."""
        return {"layout": self.layout, "words": self.words, "by": self.by, "only": self.only}

    def open(
        self, source: str, *, now: float, arena: str | None = None, ahead: float | None = None, times: bool = True
    ) -> VoteSource:
        """Open a source; arguments as in `open_source`."""
        return open_source(
            source, columns=self.columns, now=now, arena=arena, ahead=ahead, times=times, **self.keywords
        )


def source_options(command: Decorated) -> Decorated:
    """Add SOURCE and the options of every command that reads votes; `reading_of` takes their keywords."""
    for option in reversed(
        (
            click.option(
                "--columns",
                metavar="FIELD=COLUMN",
                multiple=True,
                help="Column of a field, if the file uses an unknown name, e.g. model_a=left; with nothing after the"
                " = the field is not read.",
            ),
            click.option(
                "--layout", metavar="NAME|FILE", help="Read the file with this layout: a known one, or a TOML file."
            ),
            click.option(
                "--layouts", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the layouts."
            ),
            click.option(
                "--words",
                metavar="WORD=MEANING",
                multiple=True,
                help="Meaning of a word of the winner: model_a, model_b, tie, both_bad, none or skip (no vote).",
            ),
            click.option(
                "--winner-is",
                type=click.Choice(["name", "side"]),
                help="What the winner's column contains, if the file does not show it.",
            ),
            click.option(
                "--only",
                metavar="COLUMN=VALUE",
                multiple=True,
                help="Count only rows with this value; given twice for a column, with either value.",
            ),
            click.option(
                "--drop-unreadable", is_flag=True, help="Continue without rows that cannot be read; exits with 3."
            ),
        )
    ):
        command = option(command)
    return click.argument("source")(command)


def reading_of(options: GivenOptions) -> SourceOptions:
    """Make `SourceOptions` of the keywords from `source_options`."""
    words = dict(_pairs("--words", options["words"], last=True))
    for word, meaning in words.items():
        if meaning not in MEANINGS:
            raise click.BadParameter(f"{word}={meaning}: a word means {', '.join(MEANINGS)}", param_hint="--words")
    only: dict[str, list[str]] = {}
    for column, value in _pairs("--only", options["only"]):
        only.setdefault(column, []).append(value)
    return SourceOptions(
        dict(_pairs("--columns", options["columns"])) or None,
        options["layout"],
        words or None,
        options["winner_is"],
        only or None,
        options["drop_unreadable"],
    )


def _pairs(option: str, texts: tuple[str, ...], *, last: bool = False) -> list[tuple[str, str]]:
    """Split comma-separated pairs at their first equals sign, or at the last one if `last`."""
    pairs: list[tuple[str, str]] = []
    for text in texts:
        for part in text.split(","):
            name, equals, value = part.rpartition("=") if last else part.partition("=")
            if not equals:
                raise click.BadParameter(f"{part!r} is not {FORMS[option]}", param_hint=option)
            pairs.append((name.strip(), value.strip()))
    return pairs


def require_readable(summary: Summary, reading: SourceOptions, instead: str) -> None:
    """Raise `UserError` if rows are unreadable, unless --drop-unreadable is given; `instead` is what was not done."""
    if summary.refused and not reading.drop:
        for line in summary.lines()[:-1]:
            click.echo(shown(line), err=True)
        raise UserError(summary.unreadable(instead))


def report(summary: Summary) -> None:
    """Print the summary of the rows."""
    for line in summary.lines():
        click.echo(shown(line), err=True)


def exit_as(summary: Summary) -> None:
    """Exit with `DROPPED` if rows were dropped."""
    if summary.refused:
        click.get_current_context().exit(DROPPED)


def _list(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    for name, layout in shipped().items():
        click.echo(f"{name:18} {layout.text}")
        columns = ["/".join(pair) for pair in layout.models[:3]]
        told = [*columns, *layout.columns.get("winner", ())[:3], *layout.agree, *layout.flags]
        told += [column for each in layout.counts.values() for column in each[:1]]
        if told:
            click.echo(f"{'':18} columns: {', '.join(told)}")
    context.exit()
