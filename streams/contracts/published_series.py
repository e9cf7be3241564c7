"""The Prometheus series made from the published views, at each scrape of a board: names, labels and meaning.

The series of `metrics.py` show what a process did; these show what is published, also about models. Every board process
serves all of them, from the same Redis: with several boards, aggregate with `max by (…)`, never `sum`. An arena has
series for at most `MOST_MODELS` models and `MOST_ALERTS` alerts; a series of its own counts what was left out.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

MOST_MODELS = 1_000
"""Maximum number of models per arena with series: those with evidence against them, then those with most votes."""
MOST_GROUPS = 200
"""Maximum number of providers per arena with series: those with the largest share."""
MOST_ALERTS = 200
"""Maximum number of firing alerts per arena with a series: the critical ones first."""


class Series(NamedTuple):
    """One series: its name as exposed, its type, labels and meaning."""

    name: str
    type: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    text: str


_ARENA = ("arena",)
_MODEL = ("arena", "model")

VOTES = Series("isonomy_arena_votes_total", "counter", _ARENA, "Rated battles on the overall board.")
BATTLES = Series("isonomy_arena_battles_total", "counter", _ARENA, "Battles counted, those without a vote included.")
AS_OF = Series(
    "isonomy_arena_as_of_seconds", "gauge", _ARENA, "Record time of the newest vote on the board, epoch seconds."
)
STANDING = Series(
    "isonomy_arena_rated_models",
    "gauge",
    ("arena", "standing"),
    "Models on the overall board; standing: ranked, provisional.",
)
LEFT_OUT = Series(
    "isonomy_arena_left_out",
    "gauge",
    ("arena", "what"),
    "Models, providers and alerts that have no series of their own, being too many.",
)
UNREADABLE = Series(
    "isonomy_arena_unreadable_views", "gauge", _ARENA, "Published views that this process could not read."
)

INFO = Series(
    "isonomy_model_info", "gauge", ("arena", "model", "provider", "license"), "Always 1; empty where not declared."
)
RATING = Series("isonomy_model_rating", "gauge", _MODEL, "Bradley-Terry rating on the overall board, points.")
LOWER = Series("isonomy_model_rating_lower", "gauge", _MODEL, "Lower end of its 95 % interval.")
UPPER = Series("isonomy_model_rating_upper", "gauge", _MODEL, "Upper end of its 95 % interval.")
RANK = Series("isonomy_model_rank", "gauge", _MODEL, "Rank by intervals; none while the model is provisional.")
MODEL_VOTES = Series("isonomy_model_votes_total", "counter", _MODEL, "Rated battles that the model was in.")
MODEL_BATTLES = Series("isonomy_model_battles_total", "counter", _MODEL, "Battles that the model was in.")

DECLARED = Series(
    "isonomy_model_declared_share_ratio", "gauge", _MODEL, "Share of battles that the policy declares; all add to 2."
)
OBSERVED = Series("isonomy_model_share_ratio", "gauge", _MODEL, "Share of battles over the window of full reviews.")
EVIDENCE = Series("isonomy_model_evidence_log10", "gauge", _MODEL, "Evidence against the declared share, log10 of e.")
REMOVAL = Series("isonomy_model_removal_evidence_log10", "gauge", _MODEL, "Evidence of a removal, log10 of e.")
STATE = Series(
    "isonomy_model_state",
    "gauge",
    ("arena", "model", "state"),
    "Always 1; state: active, deprecated, retired, removed, inactive, undeclared.",
)

PROVIDER_DECLARED = Series(
    "isonomy_provider_declared_share_ratio", "gauge", ("arena", "provider"), "Battles that should involve the provider."
)
PROVIDER_OBSERVED = Series(
    "isonomy_provider_share_ratio", "gauge", ("arena", "provider"), "Battles that involve the provider."
)
PROVIDER_EVIDENCE = Series(
    "isonomy_provider_evidence_log10", "gauge", ("arena", "provider"), "Evidence against its share, log10 of e."
)
LICENSE_DECLARED = Series(
    "isonomy_license_declared_share_ratio", "gauge", ("arena", "license"), "Battles that should involve the class."
)
LICENSE_OBSERVED = Series(
    "isonomy_license_share_ratio", "gauge", ("arena", "license"), "Battles that involve the licence class."
)
LICENSE_EVIDENCE = Series(
    "isonomy_license_evidence_log10", "gauge", ("arena", "license"), "Evidence against its share, log10 of e."
)

WARNING_LEVEL = Series("isonomy_arena_warning_level_log10", "gauge", _ARENA, "Evidence that makes a warning.")
PAGE_LEVEL = Series("isonomy_arena_page_level_log10", "gauge", _ARENA, "Evidence that makes a page.")
POLICY = Series(
    "isonomy_arena_policy_evidence_log10", "gauge", _ARENA, "Evidence against the policy as a whole, log10 of e."
)
POLICY_PEAK = Series(
    "isonomy_arena_policy_evidence_peak_log10",
    "gauge",
    _ARENA,
    "The most that it was: p = 10^-peak, always.",
)
COUNTS = Series(
    "isonomy_arena_models",
    "gauge",
    ("arena", "state"),
    "Models; state: active, deprecated, retired, removed, inactive, inactive_without_notice, private. They overlap.",
)
GINI = Series("isonomy_arena_gini_ratio", "gauge", _ARENA, "Gini coefficient of the providers' shares of slots.")
HHI = Series("isonomy_arena_hhi_ratio", "gauge", _ARENA, "Herfindahl-Hirschman index of the same shares.")
OUTAGE = Series("isonomy_arena_outage", "gauge", _ARENA, "1 while a stalled feed explains what is missing.")
DECLARES = Series("isonomy_arena_declares", "gauge", _ARENA, "1 if the arena declares its models; 0: no judgement.")

FIRING = Series(
    "isonomy_arena_alerts_firing",
    "gauge",
    ("arena", "kind", "severity"),
    "Alerts that fire; a zero only of a kind that is judged.",
)
JUDGED = Series(
    "isonomy_arena_judged",
    "gauge",
    ("arena", "kind"),
    "1 if the detector of this kind judges the arena now; 0: that none of its alerts fires says nothing.",
)
ONSET = Series(
    "isonomy_arena_alert_starts_at_seconds",
    "gauge",
    ("arena", "kind", "severity", "about", "name"),
    "One firing alert: when it began, epoch seconds. about: model, provider, license, voter, arena; name: which.",
)

LEADERBOARD = (VOTES, BATTLES, AS_OF, STANDING, INFO, RATING, LOWER, UPPER, RANK, MODEL_VOTES, MODEL_BATTLES)
FAIRNESS = (
    DECLARED, OBSERVED, EVIDENCE, REMOVAL, STATE,
    PROVIDER_DECLARED, PROVIDER_OBSERVED, PROVIDER_EVIDENCE, LICENSE_DECLARED, LICENSE_OBSERVED, LICENSE_EVIDENCE,
    WARNING_LEVEL, PAGE_LEVEL, POLICY, POLICY_PEAK, COUNTS, GINI, HHI, OUTAGE, DECLARES,
    JUDGED,
)  # fmt: skip
ALERTS = (FIRING, ONSET)
EVERY_ARENA = (LEFT_OUT, UNREADABLE)
PUBLISHED_SERIES = LEADERBOARD + FAIRNESS + ALERTS + EVERY_ARENA
