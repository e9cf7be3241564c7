"""From counts to the published board: solve in a fixed order of models, name everything, order by rating."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.contracts.view import Board, Position, RatedModel, Solver
from streams.contracts.vote import BOTH_BAD, MODEL_A, MODEL_B, NONE, TIE
from streams.ratings.fold import ArenaState
from streams.ratings.leaderboard import Solution, solve


def make_board(
    state: ArenaState,
    name: str,
    *,
    start: dict[str, float] | None = None,
    reweighted: bool = False,
    anchor: tuple[str, float] | None = None,
    position: Position | None = None,
) -> tuple[Board, dict[str, float]]:
    """Solve one board and lay it out.

    Models are solved in alphabetical order, not in order of arrival, so that equal counts give equal bytes.

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
    anchor
        Model and the rating to pin it to; a board without that model, or where it is provisional, is not shifted.
    position
        What to say of the position; the state's by default.

    Returns
    -------
    The board, and logits to start the next solution from.
    """
    counts = state.boards[name]
    every = list(state.models)
    members = [every[number] for number in counts.members]
    order = np.array(sorted(range(len(members)), key=members.__getitem__), np.int64)
    names = [members[index] for index in order]
    shown = counts.shown[:, order[:, None], order]
    solution = solve(
        shown[MODEL_A] + shown[MODEL_B].T,
        shown[TIE],
        shown[BOTH_BAD],
        start=None if not start else np.array([start.get(model, 0.0) for model in names]),
        reweighted=reweighted,
        anchor=(names.index(anchor[0]), anchor[1]) if anchor and anchor[0] in names else None,
        davidson=True,
    )
    seen = shown.sum(axis=(1, 2))
    board = Board(
        arena=state.arena,
        board=name,
        votes=int(seen[:NONE].sum()),
        battles=int(seen.sum()),
        as_of=state.recorded / 1000 if state.recorded else None,
        position=position or Position(state.position, dict(sorted(state.watermark.items()))),
        solver=Solver(
            components=solution.components,
            iterations=solution.iterations,
            gradient_norm=solution.gradient_norm,
            provisional=int(solution.provisional.sum()),
        ),
        models=_lines(state, names, shown, counts.elo[order], solution),
    )
    return board, dict(zip(names, solution.theta.tolist(), strict=True))


def _lines(
    state: ArenaState,
    names: list[str],
    shown: NDArray[np.int64],
    elo: NDArray[np.float64],
    solution: Solution,
) -> list[RatedModel]:
    per_outcome = shown.sum(axis=1) + shown.sum(axis=2)
    votes, battles = per_outcome[:NONE].sum(axis=0).tolist(), per_outcome.sum(axis=0).tolist()
    rank, rating = solution.rank.tolist(), solution.rating.tolist()
    lower, upper = solution.lower.tolist(), solution.upper.tolist()
    davidson, provisional, points = solution.davidson.tolist(), solution.provisional.tolist(), elo.tolist()
    lines = []
    for index in sorted(range(len(names)), key=lambda index: (-rating[index], names[index])):
        declared = state.registry.get(names[index])
        reason = solution.reason[index]
        lines.append(
            RatedModel(
                model=names[index],
                rank=rank[index] or None,
                rating=rating[index],
                lower=lower[index],
                upper=upper[index],
                davidson=None if davidson[index] != davidson[index] else davidson[index],
                elo=points[index],
                votes=votes[index],
                battles=battles[index],
                provisional=provisional[index],
                provider=declared.provider if declared else None,
                license=declared.license if declared else None,
                reason=reason.value if reason else None,
            )
        )
    return lines
