"""`isonomy rate`: the leaderboard of a file, computed by the same fold as the stream's."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

import click
import msgspec

from services.cli.common import format_option, json_text, progress, read_settings
from services.cli.errors import UserError
from services.cli.reading import (
    EXIT_CODES,
    SourceOptions,
    exit_as,
    reading_of,
    report,
    require_readable,
    source_options,
)
from services.sources import NAMED, SourceError
from streams.contracts.names import normalised
from streams.contracts.view import OVERALL

if TYPE_CHECKING:
    from services.cli.rate_style import StyledVotes
    from services.sources import Source
    from services.sources.summary import Summary
    from streams.contracts.view import Board
    from streams.ledger.rows import Rows
    from streams.ratings.fold import ArenaState

_SOURCES = "\n".join(f"  {name}: {named.text}" for name, named in NAMED.items())


@click.command(
    "rate",
    help="Rate the votes of SOURCE, without a broker: a .jsonl, .json, .csv, .tsv or .parquet file, compressed or not,"
    " a directory or a glob of such files, - for NDJSON on standard input, or a named data set.",
    epilog=f"\b\nNamed data sets:\n{_SOURCES}\n\n{EXIT_CODES}",
)
@source_options
@format_option
@click.option("--arena", help="Rate this arena's votes; needed when SOURCE holds several.")
@click.option("--board", help="Print only this board: overall, language:…, category:….")
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="MODEL[=RATING]",
    help="Pin a model's rating (1000 unless given). Given several times: pin their mean.",
)
@click.option(
    "--least-votes",
    type=click.IntRange(min=0),
    default=0,
    help="Least votes against ranked models for a rank; 0: a quarter of their median, at least 5 and at most 30.",
)
@click.option("--reweighted", is_flag=True, help="Weight pairs by inverse frequency, 1/max(n, 50).")
@click.option(
    "--style", "styled", is_flag=True, help="Also rate without the effect of the answers' length and markdown."
)
@click.option("--top", type=click.IntRange(min=1), help="Print at most this many models of each board (table).")
def command(
    source: str,
    form: str,
    arena: str | None,
    board: str | None,
    anchors: tuple[str, ...],
    least_votes: int,
    reweighted: bool,
    styled: bool,
    top: int | None,
    **options: Any,
) -> None:
    """Read, fold, solve, print."""
    pinned = dict(map(_read_anchor, anchors))
    if len(pinned) < len(anchors):
        raise UserError("--anchor names a model twice: give one rating")
    board = None if board is None else normalised(board)
    reading = reading_of(options)
    try:
        states, summary, single = _read(source, reading, styled=styled)
    except SourceError as error:
        raise UserError(str(error)) from None
    require_readable(summary, reading, "Nothing was rated: a board of the other rows would be wrong")
    report(summary)
    state = _choose(states, arena)
    boards = solve_boards(state, pinned, least_votes, reweighted, None if board is None else {board})
    if board is not None and not boards:
        raise UserError(f"there is no board {board!r}; there are {', '.join(sorted(state.boards))}")
    for each in pinned:
        if not any(line.model == each for board_ in boards.values() for line in board_.models):
            raise UserError(f"the anchor {each!r} is not on these boards")
    fitted = single[state.arena].fit(state) if styled else None
    _print(state.arena, boards, fitted, form, top, summary)
    exit_as(summary)


def _read(
    source: str, reading: SourceOptions, *, styled: bool
) -> tuple[dict[str, ArenaState], Summary, dict[str, StyledVotes]]:
    """Fold a source; fold it again without times if some cannot be read, since ratings need none."""
    now = time.time()
    votes = reading.open(source, now=now, ahead=math.inf)
    states, summary, single = fold_source(votes, styled=styled)
    if "tstamp" in summary.values and source != "-":
        values = summary.values["tstamp"]
        shown_values = ", ".join(f"{value!r} in {rows:,} rows" for value, rows in values.most_common(3))
        unread = f"{sum(values.values()):,} of {summary.read:,} times cannot be read ({shown_values})"
        votes = reading.open(source, now=now, times=False)
        states, summary, single = fold_source(votes, styled=styled)
        summary.notes.append(f"{unread}: ratings need none")
    if not votes.timed and votes.layout not in ("", "pair-counts", "matrix"):
        summary.notes.append("Elo follows the order of the file")
    summary.close(now)
    return states, summary, single


def fold_source(
    source: Source, *, styled: bool = False
) -> tuple[dict[str, ArenaState], Summary, dict[str, StyledVotes]]:
    """Fold all votes of a source, with a progress bar; sorted by time if the source has times.

    Returns
    -------
    The states by arena, the summary of all rows, and the single votes by arena if `styled`.
    """
    from services.cli.ordered import in_order, sorted_rows
    from services.sources.summary import Summary
    from streams.ledger.codec import Block
    from streams.ratings import elo
    from streams.ratings.fold import ArenaState, Limits, fold

    settings = read_settings()
    limits = Limits(settings.max_models, settings.max_boards)
    states: dict[str, ArenaState] = {}
    summary = Summary(source)
    single: dict[str, StyledVotes] = {}
    held: dict[str, list[Rows]] = {}

    def take(arena: str, rows: Rows) -> None:
        state = states.setdefault(arena, ArenaState(arena))
        fold(state, Block(arena, rows, {}), limits, elo.interpreted)
        if styled:
            from services.cli.rate_style import StyledVotes

            single.setdefault(arena, StyledVotes()).add(state, rows)

    with progress(f"reading {source.name}", source.total) as advance:
        for batch in source.rows():
            summary.take(batch)
            for arena, rows in batch.rows.items():
                if not source.timed:
                    take(arena, rows)
                elif len(rows):
                    held.setdefault(arena, []).append(rows)
            advance(batch.account.rows)
    for arena, parts in held.items():
        for rows in parts if in_order(parts) else [sorted_rows(parts)]:
            take(arena, rows)
    return states, summary, single


def solve_boards(
    state: ArenaState, anchors: dict[str, float], least_votes: int, reweighted: bool, only: set[str] | None
) -> dict[str, Board]:
    """Solve all boards of an arena, or `only` some; the mean rating of `anchors` is set to the mean of their values."""
    from streams.contracts.view import Position
    from streams.ratings.publish import make_board
    from streams.ratings.settings import RatingsSettings

    mean = sum(anchors.values()) / len(anchors) if anchors else 1000.0
    settings = RatingsSettings(least_votes=least_votes, anchors=tuple(anchors), anchor_rating=mean)
    return {
        name: make_board(state, name, settings=settings, reweighted=reweighted, position=Position(None, {}))[0]
        for name in sorted(state.boards, key=lambda name: (name != "overall", name))
        if only is None or name in only
    }


def _read_anchor(text: str) -> tuple[str, float]:
    """Parse MODEL[=RATING]; the name is normalised, as in the votes."""
    text = normalised(text)
    model, equals, rating = text.rpartition("=")
    if not equals:
        return text, 1000.0
    try:
        return normalised(model), float(rating)
    except ValueError:
        return text, 1000.0  # the name contains an equals sign


def _choose(states: dict[str, ArenaState], arena: str | None) -> ArenaState:
    if not states:
        raise UserError("there is no vote to rate")
    if arena is None and len(states) > 1:
        raise UserError(f"the votes are from several arenas, choose one with --arena: {', '.join(sorted(states))}")
    chosen = arena or next(iter(states))
    if chosen not in states:
        raise UserError(f"there is no vote of arena {chosen!r}; there are {', '.join(sorted(states))}")
    return states[chosen]


def _print(
    arena: str,
    boards: dict[str, Board],
    fitted: dict[str, Any] | None,
    form: str,
    top: int | None,
    summary: Summary,
) -> None:
    if form == "json":
        answer: dict[str, Any] = {"arena": arena, "boards": boards, "reading": summary.as_json()}
        if summary.dropped:
            answer["boards"] = {
                name: msgspec.to_builtins(board) | {"dropped": summary.dropped} for name, board in boards.items()
            }
        if fitted is not None:
            answer["style"] = fitted
        sys.stdout.write(json_text(answer) + "\n")
        return
    from services.cli.board_table import board_table, console_of

    console = console_of()
    for board in boards.values():
        title = f"{board.arena} · {board.board} · {board.votes:,} votes"
        if summary.dropped:
            title += f" · without {summary.dropped:,} rows that cannot be read"
        console.print(board_table(board, top, title, width=console.width))
    if fitted is not None:
        from services.cli.rate_style import style_tables

        plain = {
            line.model: line.rating for board in boards.values() if board.board == OVERALL for line in board.models
        }
        for table in style_tables(fitted, plain, top):
            console.print(table)
