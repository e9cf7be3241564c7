"""`isonomy rate`: the leaderboard of a file, computed by the same fold as the stream's."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, Unpack

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from services.cli.common import format_option, json_text, progress, read_settings
from services.cli.errors import UserError
from services.cli.reading import (
    EXIT_CODES,
    GivenOptions,
    SourceOptions,
    exit_as,
    reading_of,
    report,
    require_readable,
    source_options,
)
from services.sources import NAMED, SourceError
from services.sources.base import in_rows
from streams.contracts.names import normalised
from streams.contracts.view import OVERALL
from streams.ledger.rows import Codes, Rows

if TYPE_CHECKING:
    from services.cli.rate_style import StyledVotes, StyleReport
    from services.sources import VoteSource
    from services.sources.summary import Summary
    from streams.contracts.view import Board
    from streams.ratings.fold import ArenaState

Word = TypeVar("Word", bound=Hashable)
Scalar = TypeVar("Scalar", bound=np.generic)

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
    **options: Unpack[GivenOptions],
) -> None:
    """Read, fold, solve, print."""
    pinned = dict(map(_read_anchor, anchors))
    if len(pinned) < len(anchors):
        raise UserError("--anchor names a model twice: give one rating")
    if not all(abs(rating) <= 1e6 for rating in pinned.values()):
        raise UserError("--anchor: a rating is a number of points from -1,000,000 to 1,000,000")
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
        raise UserError(f"there is no board {board!r}; the boards are: {', '.join(sorted(state.boards))}")
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
        shown_values = ", ".join(f"{value!r} {in_rows(rows)}" for value, rows in values.most_common(3))
        unread = f"{sum(values.values()):,} of {summary.read:,} times cannot be read ({shown_values})"
        votes = reading.open(source, now=now, times=False)
        states, summary, single = fold_source(votes, styled=styled)
        summary.notes.append(f"{unread}: ratings need none")
    if not votes.timed and votes.layout not in ("", "pair-counts", "matrix"):
        summary.notes.append("Elo follows the order of the file")
    summary.close(now)
    return states, summary, single


def fold_source(
    source: VoteSource, *, styled: bool = False
) -> tuple[dict[str, ArenaState], Summary, dict[str, StyledVotes]]:
    """Fold all votes of a source, with a progress bar; sorted by time if the source has times.

    Returns
    -------
    The states by arena, the summary of all rows, and the single votes by arena if `styled`.
    """
    from services.sources.summary import Summary
    from streams.ledger.codec import Block
    from streams.ratings import elo
    from streams.ratings.fold import ArenaLimits, ArenaState, fold

    settings = read_settings()
    limits = ArenaLimits(settings.fold.max_models, settings.fold.max_boards)
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
    fitted: StyleReport | None,
    form: str,
    top: int | None,
    summary: Summary,
) -> None:
    if form == "json":
        answer: dict[str, object] = {"arena": arena, "boards": boards, "reading": summary.as_json()}
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


def in_order(parts: Sequence[Rows]) -> bool:
    """Return whether the rows are sorted by time."""
    last = -np.inf
    for rows in parts:
        times = rows.tstamp
        if times[0] < last or (times[1:] < times[:-1]).any():
            return False
        last = float(times[-1])
    return True


def sorted_rows(parts: Sequence[Rows]) -> Rows:
    """Join all rows and sort them by time; rows with equal times keep their order.

    >>> from streams.contracts.vote import Vote
    >>> from streams.ledger.rows import rows_of
    >>> def made(*names):
    ...     votes = [Vote(name, name, "z", "tie", float(time)) for name, time in names]
    ...     n = len(votes)
    ...     return rows_of(votes, np.zeros(n, np.int32), np.arange(n), np.zeros(n, np.int64))
    >>> rows = sorted_rows([made(("c", 3), ("a", 1)), made(("b", 2))])
    >>> [rows.models[code] for code in rows.model_a], rows.offset.tolist()
    (['a', 'b', 'c'], [0, 1, 2])
    """
    models = _Dictionary[str]()
    coded = [models.codes(rows.models) for rows in parts]
    languages, language = _recoded([(rows.languages, rows.language, len(rows)) for rows in parts], "")
    category_sets, categories = _recoded([(rows.category_sets, rows.categories, len(rows)) for rows in parts], ())
    voters, voter = _recoded([(rows.voters, rows.voter, len(rows)) for rows in parts], "")
    prompts, prompt = _recoded([(rows.prompts, rows.prompt, len(rows)) for rows in parts], "")
    battles, battle = _recoded([(rows.battles, rows.battle, len(rows)) for rows in parts], "")
    count = sum(map(len, parts))
    joined = Rows(
        models=list(models.words),
        model_a=np.concatenate([code[rows.model_a] for code, rows in zip(coded, parts, strict=True)]),
        model_b=np.concatenate([code[rows.model_b] for code, rows in zip(coded, parts, strict=True)]),
        winner=np.concatenate([rows.winner for rows in parts]),
        tstamp=np.concatenate([rows.tstamp for rows in parts]),
        partition=np.concatenate([rows.partition for rows in parts]),
        offset=np.arange(count, dtype=np.int64),
        recorded=np.concatenate([rows.recorded for rows in parts]),
        languages=languages,
        language=language,
        category_sets=category_sets,
        categories=categories,
        voters=voters,
        voter=voter,
        prompts=prompts,
        prompt=prompt,
        battles=battles,
        battle=battle,
        p_pair=_filled([rows.p_pair for rows in parts], parts, np.nan, ()),
        drawn_at=_filled([rows.drawn_at for rows in parts], parts, np.nan, ()),
        style=_filled([rows.style for rows in parts], parts, -1, (8,)),
    )
    by_time = joined.take(np.argsort(joined.tstamp, kind="stable"))
    by_time.offset[:] = np.arange(count)
    return by_time


class _Dictionary(Generic[Word]):
    """Merges the words of several dictionaries into one."""

    def __init__(self, *first: Word) -> None:
        self.words: dict[Word, int] = {word: at for at, word in enumerate(first)}

    def codes(self, words: Sequence[Word]) -> NDArray[np.int32]:
        return np.array([self.words.setdefault(word, len(self.words)) for word in words], dtype=np.int32)


def _recoded(
    parts: Sequence[tuple[Sequence[Word], Codes | None, int]], absent: Word
) -> tuple[list[Word], Codes | None]:
    """Join a coded column, given as words, codes and rows of each part; no codes if all parts lack the column."""
    dictionary = _Dictionary(absent)
    mapped = [(dictionary.codes(words), codes, n) for words, codes, n in parts]
    there = any(codes is not None for _, codes, _ in mapped)
    whole = [np.zeros(n, np.int32) if codes is None else code[codes] for code, codes, n in mapped]
    return list(dictionary.words), np.concatenate(whole) if there else None


def _filled(
    columns: Sequence[NDArray[Scalar] | None], parts: Sequence[Rows], absent: float, shape: tuple[int, ...]
) -> NDArray[Scalar] | None:
    """Join a column of all parts, with `absent` where a part lacks it; None if all parts lack it."""
    there = [column for column in columns if column is not None]
    if not there:
        return None
    return np.concatenate(
        [
            np.full((len(rows), *shape), absent, there[0].dtype) if column is None else column
            for column, rows in zip(columns, parts, strict=True)
        ]
    )
