"""*Leaderboard*: who leads, how certain is that, where do votes go, is the order stable?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.columns import Column, grid
from deploy.grafana.frame import arena_variable, frame, model_variable
from deploy.grafana.kit import AMBER, BLUE, GREEN, RED, Panel, Query, bars, lines, number

_ARENA = 'arena="$arena"'
_LEADERS = 10


def _of(metric: str, *, selected: bool = False, at: str = "") -> str:
    """Return a query for one value per model, however many board processes export it."""
    chosen = ',model=~"$model"' if selected else ""
    return f"max by (model) ({metric}{{{_ARENA}{chosen}}}{at})"


def _leading(expr: str) -> str:
    """Keep the models that lead at the end of the time range, so that no curve appears or vanishes with its rank."""
    return f"{expr} and on (model) topk({_LEADERS}, {_of('isonomy_model_rating', at=' @ end()')})"


def leaderboard() -> dashboard.Dashboard:
    """Make the dashboard."""
    made = frame(
        "leaderboard",
        "Isonomy / Leaderboard",
        "The overall board as it is published. Every board process tells the same numbers, so all of them are taken as"
        " max by (model), never summed. `Model` below chooses the curves of the last row.",
        "now-24h",
        arena_variable(several=False),
        model_variable(f"max by (model) (isonomy_model_rating{{{_ARENA}}})"),
    )
    for panel in (
        number("Votes", "How many rated battles?", Query(f"max(isonomy_arena_votes_total{{{_ARENA}}})"), span=4),
        number(
            "Votes a second",
            "How fast do they come?",
            Query(f"isonomy:arena_votes:rate_5m{{{_ARENA}}}"),
            unit="cps",
            span=4,
        ),
        number(
            "Ranked models",
            "How many can be compared with each other?",
            Query(f'max(isonomy_arena_rated_models{{{_ARENA},standing="ranked"}})'),
            span=4,
        ),
        number(
            "Provisional models",
            "How many have no determined rating: undefeated, winless, or never met?",
            Query(f'max(isonomy_arena_rated_models{{{_ARENA},standing="provisional"}})'),
            steps=((None, BLUE), (1, AMBER)),
            span=4,
        ),
        number(
            "Rank changes in an hour",
            "How restless is the order?",
            Query(f"isonomy:model_rank:changes_1h{{{_ARENA}}}"),
            span=4,
        ),
        number(
            "Newest vote",
            "How old is the newest vote that counts?",
            Query(f"time() - max(isonomy_arena_as_of_seconds{{{_ARENA}}})"),
            unit="s",
            steps=((None, GREEN), (3_600, AMBER)),
            span=4,
        ),
    ):
        made.with_panel(panel)
    known = f"max by (model, provider, license) (isonomy_model_info{{{_ARENA}}})"
    joined = f" * on (model) group_left (provider, license) {known}"
    made.with_panel(
        grid(
            "Leaderboard",
            "Who leads, and between which bounds is the rating, 95 of 100 times? Equal ranks cannot be told apart.",
            [
                Column("Rank", _of("isonomy_model_rank") + joined, decimals=0),
                Column("Rating", _of("isonomy_model_rating") + joined, "none", ((None, BLUE),), 1),
                Column("Lower", _of("isonomy_model_rating_lower") + joined, "none", decimals=1),
                Column("Upper", _of("isonomy_model_rating_upper") + joined, "none", decimals=1),
                Column("Votes", _of("isonomy_model_votes_total") + joined, "locale", decimals=0),
            ],
            labels={"model": "Model", "provider": "Provider", "license": "Licence"},
            sort="Rating",
            span=14,
            height=14,
        )
    )
    made.with_panel(
        lines(
            f"Ratings of the {_LEADERS} leaders",
            "Does the order at the top hold still?",
            Query(_leading(_of("isonomy_model_rating")), "{{model}}"),
            unit="none",
            minimum=None,
            span=10,
            height=14,
        )
    )
    made.with_row(dashboard.Row("Votes and churn"))
    of_model = f"max by (model) (rate(isonomy_model_votes_total{{{_ARENA}}}[$__rate_interval]))"
    provider = f"max by (model, provider) (isonomy_model_info{{{_ARENA}}})"
    of_provider = f"sum by (provider) ({of_model} * on (model) group_left (provider) {provider}) / 2"
    charts: tuple[Panel, ...] = (
        lines(
            "Votes by provider",
            "Whose models do people vote on? A vote counts half for each side.",
            Query(of_provider, "{{provider}}"),
            unit="cps",
            stacked=True,
            span=8,
        ),
        bars(
            "Widest intervals",
            "Where would more votes tell most?",
            Query(
                f"topk(8, {_of('isonomy_model_rating_upper')} - {_of('isonomy_model_rating_lower')})",
                "{{model}}",
            ),
            unit="none",
            decimals=1,
            span=8,
        ),
        bars(
            "Most rank changes in an hour",
            "Who moves?",
            Query(f"topk(8, max by (model) (changes(isonomy_model_rank{{{_ARENA}}}[1h])))", "{{model}}"),
            unit="none",
            steps=((None, GREEN), (10, AMBER), (100, RED)),
            span=8,
        ),
    )
    for chart in charts:
        made.with_panel(chart)
    made.with_row(dashboard.Row("$model").repeat("model"))
    made.with_panel(
        lines(
            "Rating and 95 % interval",
            "How did this model's rating become what it is, and how sure was it?",
            Query(_of("isonomy_model_rating_upper", selected=True), "upper"),
            Query(_of("isonomy_model_rating", selected=True), "rating"),
            Query(_of("isonomy_model_rating_lower", selected=True), "lower"),
            unit="none",
            minimum=None,
            band=("lower", "upper"),
            span=12,
        )
    )
    made.with_panel(
        lines(
            "Votes a second of the model",
            "How many votes is it in?",
            Query(
                f'max by (model) (rate(isonomy_model_votes_total{{{_ARENA},model=~"$model"}}[$__rate_interval]))',
                "{{model}}",
            ),
            unit="cps",
            span=12,
        )
    )
    return made
