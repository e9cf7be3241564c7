"""`isonomy audit`: what votes, or published snapshots of a leaderboard, show about the treatment of models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, Unpack

import click

from services.cli.common import json_text
from services.cli.errors import UserError
from services.cli.output import force_option, is_standard_input, require_writable, whole
from services.cli.reading import DROPPED, EXIT_CODES, GivenOptions, exit_as, reading_of, source_options
from services.cli.reading import report as tell
from services.sources import SourceError
from streams.contracts.names import shown

if TYPE_CHECKING:
    from streams.audit.report.document import Report


@click.command(
    "audit",
    help="Report from SOURCE how models were treated: which models' votes stopped and when, which models left the"
    " board, the shares of providers and licence classes, and what SOURCE cannot show. SOURCE is a file of published"
    " snapshots (date, model, and total votes, or only score or rank; optionally organization and license) or of"
    " votes: .csv, .tsv, .jsonl, .json or .parquet, compressed or not, a directory or a glob of such files (the names"
    " may contain the dates of snapshots), a named data set, or - for JSON lines of votes on standard input. No broker"
    " is needed.",
    epilog=EXIT_CODES,
)
@source_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "html"]),
    default="table",
    show_default=True,
    help="For a terminal, for a program, or one page with plots.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write instead of standard output; it is there whole or not at all.",
)
@force_option
@click.option(
    "--kind",
    type=click.Choice(["auto", "snapshots", "votes"]),
    default="auto",
    show_default=True,
    help="Kind of SOURCE; auto decides by its columns.",
)
@click.option(
    "--registry",
    type=click.Path(path_type=Path),
    help="File of the arena's model records, one JSON object a line: its declarations and announcements.",
)
@click.option("--board", help="Board of the snapshots; default: text or overall.")
@click.option(
    "--number-format",
    metavar="EXAMPLE",
    help="How the file writes the number 1234.5, e.g. 1.234,5 or 1 234,5; default: decided by its cells.",
)
@click.option(
    "--date-format",
    metavar="ORDER",
    help="dmy, mdy or ymd, or a pattern such as %d/%m/%y; default: decided by the file's days.",
)
@click.option("--arena", help="Arena of the votes or of the registry; its name in alerts.")
@click.option(
    "--cutoff",
    type=click.FloatRange(min=0),
    help="Votes a day up to which a model is inactive; default: 10, or less in a small arena.",
)
@click.option(
    "--window-days",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Length of the last period, for inactivity and shares.",
)
@click.option(
    "--notice-days",
    type=click.FloatRange(min=0),
    default=14.0,
    show_default=True,
    help="Days between an announcement and the end that count as notice.",
)
@click.option(
    "--providers",
    type=click.Path(path_type=Path),
    help="Table of providers' other names (TOML) to use instead of the one in the package.",
)
@click.option("--top", type=click.IntRange(min=1), help="Print at most this many lines of each table (table).")
def command(
    source: str,
    form: str,
    output: Path | None,
    force: bool,
    kind: str,
    registry: Path | None,
    board: str | None,
    number_format: str | None,
    date_format: str | None,
    arena: str | None,
    cutoff: float | None,
    window_days: float,
    notice_days: float,
    providers: Path | None,
    top: int | None,
    **said: Unpack[GivenOptions],
) -> None:
    """Read, audit, print."""
    from services.audit.providers import read_providers
    from services.audit.run import AuditRequest, run_audit
    from services.audit.snapshots import Wanted
    from streams.audit.account import account
    from streams.audit.options import Options
    from streams.contracts.vote import is_arena

    if arena is not None and not is_arena(arena):
        raise UserError(f"arena {arena!r}: use 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit")
    reading = reading_of(said)
    if output is not None:
        require_writable(output, force=force, read=_inputs(source, output, registry, providers, reading.layout))
    wanted = Wanted(reading.columns, board, number_format, date_format, reading.drop)
    try:
        options = Options(
            cutoff=cutoff, window_days=window_days, notice_days=notice_days, providers=read_providers(providers)
        )
        report, votes = run_audit(AuditRequest(source, kind, wanted, registry, arena, options, reading.keywords))
    except SourceError as error:
        raise UserError(str(error)) from None
    if votes is not None:
        tell(votes)
    if output is None:
        _print(report, form, sys.stdout, top)
    else:
        with whole(output, force=force) as made, made.open("w", encoding="utf-8") as stream:
            _print(report, form, stream, top)
    if report.reading is not None:
        for line in account(report.reading):
            click.echo(shown(line), err=True)
        if report.reading.left_out:
            raise SystemExit(DROPPED)
    if votes is not None:
        exit_as(votes)


def _inputs(
    source: str, output: Path, registry: Path | None, providers: Path | None, layout: str | None
) -> Iterator[tuple[str, Path]]:
    """Yield the files that the audit reads, each after its name for the user."""
    from services.sources import NAMED
    from services.sources.parts import find_parts

    named = {"--registry": registry, "--providers": providers, "--layout": Path(layout) if layout else None}
    yield from ((option, path) for option, path in named.items() if path is not None)
    if source == "-" and is_standard_input(output):
        yield "SOURCE", output
    if source == "-" or source in NAMED:
        return
    try:
        yield from (("SOURCE", part.path) for part in find_parts(source).files)
    except SourceError:
        return  # the audit stops at the same fault, says it with its own knowledge of the source, and writes nothing


def _print(report: Report, form: str, stream: TextIO, top: int | None) -> None:
    if form == "json":
        stream.write(json_text(report, "deterministic") + "\n")
    elif form == "html":
        from services.audit.page import page

        stream.write(page(report))
    else:
        from services.audit.show import show_report
        from services.cli.board_table import console_of

        show_report(console_of(stream), report, top)
