"""`isonomy rate`: the leaderboard of a file, by the same fold as the stream's."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from services.cli.common import format_option, json_text, read_columns, read_settings, source_options
from services.cli.errors import UserError
from services.sources import NAMED, SourceError, open_source
from streams.contracts.names import shown
from streams.contracts.view import OVERALL

if TYPE_CHECKING:
    from services.cli.style import StyledVotes
    from services.sources import Rejected, Source
    from streams.contracts.view import Board
    from streams.ratings.fold import ArenaState

_SOURCES = "\n".join(f"  {name}: {named.text}" for name, named in NAMED.items())


@click.command(
    "rate",
    help="Rate the votes of SOURCE, without a broker: a .jsonl, .json, .csv, .tsv or .parquet file, - for NDJSON on"
    " standard input, or a named data set.",
    epilog=f"\b\nNamed data sets:\n{_SOURCES}",
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
    help="Votes against ranked models that a rank needs; 0: a quarter of their median, at least 5 and at most 30.",
)
@click.option("--reweighted", is_flag=True, help="Weight pairs by inverse frequency, 1/max(n, 50).")
@click.option("--style", "styled", is_flag=True, help="Also rate with length and markdown of the answers taken out.")
@click.option("--top", type=click.IntRange(min=1), help="Print only so many models of each board (table).")
def command(
    source: str,
    columns: tuple[str, ...],
    form: str,
    arena: str | None,
    board: str | None,
    anchors: tuple[str, ...],
    least_votes: int,
    reweighted: bool,
    styled: bool,
    top: int | None,
) -> None:
    """Read, fold, solve, print."""
    pinned = dict(map(_read_anchor, anchors))
    try:
        votes = open_source(source, columns=read_columns(columns), now=time.time())
        states, rejected, single = fold_source(votes, styled=styled)
    except SourceError as error:
        raise UserError(str(error)) from None
    _report(votes, rejected)
    state = _choose(states, arena)
    boards = solve_boards(state, pinned, least_votes, reweighted, None if board is None else {board})
    if board is not None and not boards:
        raise UserError(f"there is no board {board!r}; there are {', '.join(sorted(state.boards))}")
    for each in pinned:
        if not any(line.model == each for board_ in boards.values() for line in board_.models):
            raise UserError(f"the anchor {each!r} is on none of these boards")
    fitted = single[state.arena].fit(state) if styled else None
    _print(state.arena, boards, fitted, form, top)


def fold_source(
    source: Source, *, styled: bool = False
) -> tuple[dict[str, ArenaState], list[Rejected], dict[str, StyledVotes]]:
    """Fold all votes of a source, showing its progress.

    Returns
    -------
    The states by arena, what was refused, and by arena the single votes where `styled` asks for them.
    """
    from services.cli.bar import progress
    from streams.ledger.codec import Block
    from streams.ratings import elo
    from streams.ratings.fold import ArenaState, Limits, fold

    settings = read_settings()
    limits = Limits(settings.max_models, settings.max_boards)
    states: dict[str, ArenaState] = {}
    rejected: list[Rejected] = []
    single: dict[str, StyledVotes] = {}
    with progress(f"reading {source.name}", source.total) as advance:
        for batch in source.rows():
            for arena, rows in batch.rows.items():
                state = states.setdefault(arena, ArenaState(arena))
                fold(state, Block(arena, rows, {}), limits, elo.interpreted)
                if styled:
                    from services.cli.style import StyledVotes

                    single.setdefault(arena, StyledVotes()).add(state, rows)
            rejected.extend(batch.rejected)
            advance(sum(map(len, batch.rows.values())) + len(batch.rejected) + batch.duplicates)
    return states, rejected, single


def solve_boards(
    state: ArenaState, anchors: dict[str, float], least_votes: int, reweighted: bool, only: set[str] | None
) -> dict[str, Board]:
    """Solve every board of an arena, or only some; `anchors` are models and the ratings whose mean theirs is to be."""
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
    model, equals, rating = text.rpartition("=")
    if not equals:
        return text, 1000.0
    try:
        return model, float(rating)
    except ValueError:
        return text, 1000.0  # a name with an equals sign in it


def _choose(states: dict[str, ArenaState], arena: str | None) -> ArenaState:
    if not states:
        raise UserError("there is no vote to rate")
    if arena is None and len(states) > 1:
        raise UserError(f"the votes are of several arenas, choose one with --arena: {', '.join(sorted(states))}")
    chosen = arena or next(iter(states))
    if chosen not in states:
        raise UserError(f"there is no vote of arena {chosen!r}; there are {', '.join(sorted(states))}")
    return states[chosen]


def _report(source: Source, rejected: list[Rejected]) -> None:
    if source.note:
        click.echo(shown(f"note: {source.note}"), err=True)
    for item in rejected[:10]:
        click.echo(shown(f"refused {item.where}: {item.reason}: {item.detail}"), err=True)
    if len(rejected) > 10:
        counts: dict[str, int] = {}
        for item in rejected:
            counts[item.reason] = counts.get(item.reason, 0) + 1
        click.echo(f"refused {len(rejected):,} in all: {', '.join(f'{n:,} {r}' for r, n in counts.items())}", err=True)


def _print(arena: str, boards: dict[str, Board], fitted: dict[str, Any] | None, form: str, top: int | None) -> None:
    if form == "json":
        answer: dict[str, Any] = {"arena": arena, "boards": boards}
        if fitted is not None:
            answer["style"] = fitted
        sys.stdout.write(json_text(answer) + "\n")
        return
    from services.cli.show import board_table, console_of

    console = console_of()
    for board in boards.values():
        console.print(board_table(board, top, width=console.width))
    if fitted is not None:
        from services.cli.style import style_tables

        plain = {
            line.model: line.rating for board in boards.values() if board.board == OVERALL for line in board.models
        }
        for table in style_tables(fitted, plain, top):
            console.print(table)
