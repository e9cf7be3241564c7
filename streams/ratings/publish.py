"""From counts to the published board: solve with models in a fixed order, add names, order by rating."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.contracts.model import Model
from streams.contracts.view import Board, Gauge, Position, RatedModel, Solver
from streams.ratings.fold import ArenaState
from streams.ratings.leaderboard import Solution, solve_met
from streams.ratings.met import Met
from streams.ratings.settings import RatingsSettings

DEFAULTS = RatingsSettings()


@dataclass(frozen=True, slots=True)
class Question:
    """A copy of one board at one position of the ledger, with all inputs of solving it; shares no mutable state.

    Attributes
    ----------
    names
        Its models in alphabetical order, the order of solving, so that equal counts give equal bytes.
    met, elo, battles
        Its counts, Elo and battles in that order.
    declared
        The models' declarations in the registry.
    recorded
        When the newest vote arrived, epoch milliseconds.
    """

    arena: str
    board: str
    names: list[str]
    met: Met
    elo: NDArray[np.float64]
    battles: int
    declared: dict[str, Model]
    recorded: int
    position: Position


def ask(state: ArenaState, name: str, position: Position | None = None) -> Question:
    """Copy one board for solving; `position` is the one to publish, by default the state's."""
    counts, every = state.boards[name], list(state.models)
    members = [every[number] for number in counts.members]
    order = np.array(sorted(range(len(members)), key=members.__getitem__), np.int64)
    names = [members[index] for index in order]
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return Question(
        arena=state.arena,
        board=name,
        names=names,
        met=counts.met.renumbered(place),
        elo=counts.elo[order],
        battles=counts.battles,
        declared={each: state.registry[each] for each in names if each in state.registry},
        recorded=state.recorded,
        position=position or Position(state.position, dict(sorted(state.watermark.items()))),
    )


def answer(
    asked: Question,
    *,
    start: dict[str, float] | None = None,
    reweighted: bool = False,
    settings: RatingsSettings = DEFAULTS,
) -> tuple[Board, dict[str, float]]:
    """Solve a board and lay it out; parameters and return value as in `make_board`."""
    names = asked.names
    on_board = set(settings.anchors) <= set(names)
    solution = solve_met(
        asked.met,
        start=None if not start else np.array([start.get(model, 0.0) for model in names]),
        reweighted=reweighted,
        least=settings.least_votes,
        widest=settings.widest,
        anchors=tuple(names.index(anchor) for anchor in settings.anchors) if on_board else (),
        anchor_rating=settings.anchor_rating,
        davidson=True,
        quasi=True,
    )
    board = Board(
        arena=asked.arena,
        board=asked.board,
        votes=int(asked.met.voted.sum()),
        battles=asked.battles,
        as_of=asked.recorded / 1000 if asked.recorded else None,
        position=asked.position,
        solver=Solver(
            components=solution.components,
            iterations=solution.iterations,
            gradient_norm=solution.gradient_norm,
            provisional=int(solution.provisional.sum()),
            least_votes=solution.least,
            dispersion=_number(solution.dispersion),
            davidson_withheld=solution.withheld.value if solution.withheld else None,
        ),
        models=_lines(asked, solution),
        gauge=_gauge(settings, names, solution) if settings.anchors else None,
    )
    return board, dict(zip(names, solution.theta.tolist(), strict=True))


def make_board(
    state: ArenaState,
    name: str,
    *,
    start: dict[str, float] | None = None,
    reweighted: bool = False,
    settings: RatingsSettings = DEFAULTS,
    position: Position | None = None,
) -> tuple[Board, dict[str, float]]:
    """Solve one board and lay it out.

    Parameters
    ----------
    state
        The arena.
    name
        The board.
    start
        Logits of an earlier solution by model: saves Newton steps, changes no bit of the ratings.
    reweighted
        Weigh pairs by inverse frequency.
    settings
        The operator's settings of the arena.
    position
        The position to publish; the state's by default.

    Returns
    -------
    The board, and logits to start the next solution from.
    """
    return answer(ask(state, name, position), start=start, reweighted=reweighted, settings=settings)


def _lines(asked: Question, solution: Solution) -> list[RatedModel]:
    names, met, elo = asked.names, asked.met, asked.elo
    shown, voted = met.counts.sum(axis=0), met.voted
    votes, battles = met.per_model(voted, voted).tolist(), met.per_model(shown, shown).tolist()
    rank, rating = solution.rank.tolist(), solution.rating.tolist()
    lower, upper = solution.lower.tolist(), solution.upper.tolist()
    davidson, quasi = solution.davidson.tolist(), solution.quasi_variance.tolist()
    provisional, points = solution.provisional.tolist(), elo.tolist()
    lines = []
    for index in sorted(range(len(names)), key=lambda index: (-rating[index], names[index])):
        declared = asked.declared.get(names[index])
        reason = solution.reason[index]
        lines.append(
            RatedModel(
                model=names[index],
                rank=rank[index] or None,
                rating=rating[index],
                lower=_number(lower[index]),
                upper=_number(upper[index]),
                davidson=_number(davidson[index]),
                elo=points[index],
                votes=votes[index],
                battles=battles[index],
                provisional=provisional[index],
                provider=declared.provider if declared else None,
                license=declared.license if declared else None,
                reason=reason.value if reason else None,
                quasi_variance=_number(quasi[index]),
            )
        )
    return lines


def _gauge(settings: RatingsSettings, names: list[str], solution: Solution) -> Gauge:
    ranked = {name for name, provisional in zip(names, solution.provisional.tolist(), strict=True) if not provisional}
    unranked = [anchor for anchor in settings.anchors if anchor not in ranked]
    return Gauge(list(settings.anchors), settings.anchor_rating, solution.anchored, unranked)


def _number(value: float) -> float | None:
    """Return None for an open end (infinite) or an unknown value (NaN)."""
    return value if math.isfinite(value) else None
