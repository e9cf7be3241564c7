"""`isonomy rate --style`: ratings without the effects of length and markdown, and the size of these effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from services.cli.errors import UserError
from streams.contracts.names import shown
from streams.contracts.vote import NONE
from streams.ratings import style
from streams.ratings.features import FEATURES, contrast
from streams.ratings.intervals import NORMAL_95
from streams.ratings.newton import NotConverged
from streams.ratings.pairs import POINTS_PER_LOGIT

if TYPE_CHECKING:
    from rich.table import Table

    from streams.ledger.rows import Rows
    from streams.ratings.fold import ArenaState

Votes = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int32]]
"""Two models, score of the first, and style of both, for each vote."""

_SCORES = np.array([1.0, 0.0, 0.5, 0.5])


class FeatureEffect(TypedDict):
    """The effect of one feature of style; None where there is no number."""

    feature: str
    beta: float | None
    half_width: float | None
    points: float | None
    deviation: float | None
    dropped: str | None


class StyledRating(TypedDict):
    """A model's rating with style taken out."""

    model: str
    rating: float
    half_width: float


class StyleReport(TypedDict):
    """What `rate --format json` prints as `style`."""

    rows: int
    missing: int
    features: list[FeatureEffect]
    models: list[StyledRating]


@dataclass(slots=True)
class StyledVotes:
    """The single votes of an arena: style control needs them, while ratings need only counts."""

    parts: list[Votes] = field(default_factory=list)

    def add(self, state: ArenaState, rows: Rows) -> None:
        """Keep the rated votes among rows that the state has just folded."""
        numbers = np.array([state.models.get(name, -1) for name in rows.models], np.int64)
        a, b = numbers[rows.model_a], numbers[rows.model_b]
        rated = (rows.winner != NONE) & (a >= 0) & (b >= 0)
        shown = np.full((len(rows), 8), -1, np.int32) if rows.style is None else rows.style
        self.parts.append((a[rated], b[rated], _SCORES[rows.winner[rated]], shown[rated]))

    def fit(self, state: ArenaState) -> StyleReport:
        """Fit ratings and style; returns what `rate --format json` prints. Raises `UserError` if no fit is possible."""
        a, b, score, shown = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        counts = np.where(shown < 0, np.nan, shown.astype(np.float64))
        x = contrast(counts[:, 0::2], counts[:, 1::2])
        if np.isnan(x).any(axis=1).all():
            raise UserError("no vote has a `style`, so there is nothing to control for")
        try:
            found = style.fit(a, b, score, x, len(state.models))
        except NotConverged as error:
            raise UserError(f"style decides every vote, so its weight has no finite value: {error}") from None
        return {
            "rows": found.rows,
            "missing": found.missing,
            "features": [
                {
                    "feature": name,
                    "beta": _number(found.beta[at]),
                    "half_width": _number(NORMAL_95 * found.beta_error[at]),
                    "points": _number(POINTS_PER_LOGIT * found.beta[at]),
                    "deviation": _number(found.deviation[at]),
                    "dropped": why.value if (why := found.dropped[at]) else None,
                }
                for at, name in enumerate(FEATURES)
            ],
            "models": sorted(
                (
                    {
                        "model": name,
                        "rating": 1000.0 + POINTS_PER_LOGIT * float(found.theta[at]),
                        "half_width": POINTS_PER_LOGIT * NORMAL_95 * float(found.theta_error[at]),
                    }
                    for at, name in enumerate(state.models)
                    if np.isfinite(found.theta[at])
                ),
                key=lambda line: (-line["rating"], line["model"]),
            ),
        }


def style_tables(fitted: StyleReport, plain: dict[str, float], top: int | None) -> list[Table]:
    """Format a fit as two tables: the models with the change due to style control, and the features."""
    from rich.table import Table

    models = Table(title=f"with style control · {fitted['rows']:,} votes", title_justify="left", header_style="bold")
    for heading in ("model", "rating", "95 %", "change"):
        models.add_column(heading, justify="left" if heading == "model" else "right")
    for line in fitted["models"][:top]:
        change = line["rating"] - plain.get(line["model"], float("nan"))
        models.add_row(shown(line["model"]), f"{line['rating']:.1f}", f"±{line['half_width']:.1f}", f"{change:+.1f}")
    features = Table(title="effect of style", title_justify="left", header_style="bold")
    for heading in ("feature", "points per standard deviation", "95 %", ""):
        features.add_column(heading, justify="left" if heading in ("feature", "") else "right")
    for each in fitted["features"]:
        if each["dropped"] or each["half_width"] is None:
            features.add_row(each["feature"], "–", "", (each["dropped"] or "").replace("_", " "))
        else:
            half = f"±{POINTS_PER_LOGIT * each['half_width']:.1f}"
            features.add_row(each["feature"], f"{each['points']:+.1f}", half, "")
    return [models, features]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
