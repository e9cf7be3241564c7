"""Which detectors judge an arena and which do not: without it, a list without alerts would read as "all is well"."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from streams.contracts.alert import Kind


class Unjudged(StrEnum):
    """Why a detector does not judge now: a closed set."""

    NO_REGISTRY = "no_registry"
    """The arena declares no models, so it has no rule to be checked against."""
    NO_POLICY = "no_policy"
    """The registry gives fewer than two models a weight, so no share follows from it."""
    NO_BATTLES = "no_battles"
    """There are fewer battles than one tick."""
    FEED_STALLED = "feed_stalled"
    """Votes are missing from the feed: meanwhile missing battles are evidence against no subject."""
    FIRST_REVIEW = "first_review"
    """The first review is not over."""
    FIRST_WINDOW = "first_window"
    """The first window of reviews is not full."""
    FIRST_RATINGS = "first_ratings"
    """The ratings have not been sampled often enough yet."""
    NO_PROMPTS = "no_prompts"
    """No vote has a `prompt_hash`."""
    NO_BASELINE = "no_baseline"
    """The baseline of repeated prompts is still being measured."""
    NO_PUBLIC_MODELS = "no_public_models"
    """The registry has never declared a public model."""
    NO_PRIVATE_MODELS = "no_private_models"
    """The registry has never declared a private model, and only the registry could show one."""
    ONE_CLASS = "one_class"
    """All models are of one licence class."""
    FEW_MODELS = "few_models"
    """Fewer than two models were in enough recent battles."""
    NO_PROBABILITIES = "no_probabilities"
    """No judged battle has a `p_pair`."""
    NO_VOTERS = "no_voters"
    """No vote has a `voter`."""
    LEARNING = "learning"
    """The arena's own usual share is still being learned."""
    NO_STRATA = "no_strata"
    """No language or category has a twentieth of the battles of a review."""
    NO_USUAL_VALUE = "no_usual_value"
    """The usual share of left votes is still being measured."""
    DRAWS_UNKNOWN = "draws_unknown"
    """Votes say neither which draw nor which voter they belong to, and too few were compared to know whether they come
    in bunches."""
    DRAWS_UNCLEAR = "draws_unclear"
    """Votes come in bunches that nothing ties to draws: which battle is a draw of its own is not known."""
    UNFINISHED_UNKNOWN = "unfinished_unknown"
    """Battles that nobody finished do not come, so selection by voters moves every share a little."""
    EXPLAINED = "explained"
    """An open alert of a share explains what the detector would see."""


SENTENCES: dict[Unjudged, str] = {
    Unjudged.NO_REGISTRY: "the arena declares no models",
    Unjudged.NO_POLICY: "fewer than two models have a declared weight",
    Unjudged.NO_BATTLES: "too few battles so far",
    Unjudged.FEED_STALLED: "votes are missing from the feed",
    Unjudged.FIRST_REVIEW: "the first review is not over",
    Unjudged.FIRST_WINDOW: "the first window of reviews is not full",
    Unjudged.FIRST_RATINGS: "too few looks at the ratings so far",
    Unjudged.NO_PROMPTS: "no vote has a prompt hash",
    Unjudged.NO_BASELINE: "how many prompts are usually repeated is still being learned",
    Unjudged.NO_PUBLIC_MODELS: "no public model was ever declared",
    Unjudged.NO_PRIVATE_MODELS: "no private model was ever declared, and only the registry could show one",
    Unjudged.ONE_CLASS: "all models are of one licence class",
    Unjudged.FEW_MODELS: "fewer than two models were in enough recent battles",
    Unjudged.NO_PROBABILITIES: "no vote gives the probability of its pair",
    Unjudged.NO_VOTERS: "no vote has a voter",
    Unjudged.LEARNING: "what is usual in the arena is still being learned",
    Unjudged.NO_STRATA: "no language or category has a twentieth of the battles",
    Unjudged.NO_USUAL_VALUE: "how often the left answer usually wins is still being learned",
    Unjudged.DRAWS_UNKNOWN: (
        "votes do not say which draw they belong to, and too few came to see whether they come in bunches"
    ),
    Unjudged.DRAWS_UNCLEAR: "votes come in bunches, and do not say which draw they belong to",
    Unjudged.UNFINISHED_UNKNOWN: "battles that nobody finished do not come",
    Unjudged.EXPLAINED: "an open alert of a share explains what it would see",
}
"""The words for it, as the end of a sentence; the same for every reader."""


class Judged(msgspec.Struct, frozen=True):
    """Whether one detector judges now.

    Attributes
    ----------
    kind
        The detector, by the kind of its alerts.
    judged
        Whether an alert of this kind could fire now. While it is false, the absence of such alerts means nothing.
    subjects
        How many models, providers and licence classes it judges; null where it judges the arena as a whole, or nothing.
    since, since_battle
        Since when it judges, where known: epoch seconds on the clock of the votes, and the number of the arena's
        battles before that.
    reason, note
        Why it does not judge; both null while it does.
    """

    kind: Kind
    judged: bool
    subjects: int | None = None
    since: float | None = None
    since_battle: int | None = None
    reason: Unjudged | None = None
    note: str | None = None

    @classmethod
    def not_yet(cls, kind: Kind, reason: Unjudged) -> Judged:
        """Make the entry of a detector that does not judge."""
        return cls(kind, judged=False, reason=reason, note=SENTENCES[reason])


def told(judged: Sequence[Judged] | None) -> str:
    """Describe in one or two sentences what was judged and what was not; None when the view does not contain it.

    >>> told([Judged(Kind.RANK_CHURN, True), Judged.not_yet(Kind.PROMPT_REUSE, Unjudged.NO_PROMPTS)])
    'Judged: rank churn. Not judged: prompt reuse (no vote has a prompt hash).'
    >>> told([])
    'What was judged is not known.'
    """
    if not judged:
        return "What was judged is not known."
    done = [each.kind.replace("_", " ") for each in judged if each.judged]
    left: dict[str, list[str]] = {}
    for each in judged:
        if not each.judged:
            left.setdefault(each.note or "no reason is given", []).append(each.kind.replace("_", " "))
    parts = [f"Judged: {', '.join(done)}." if done else "Nothing was judged."]
    if left:
        parts.append("Not judged: " + "; ".join(f"{', '.join(kinds)} ({why})" for why, kinds in left.items()) + ".")
    return " ".join(parts)
