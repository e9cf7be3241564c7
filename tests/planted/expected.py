"""What is expected of each scenario: which kinds have to fire, which may, and what cannot be seen.

Kinds are words, so that the table can be made by a tree that does not have all of them: they are not found there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What should be found.

    Attributes
    ----------
    must
        Kinds that must fire, each with those that may fire instead of it.
    may
        Kinds that may fire besides: what was done has this consequence too.
    aim
        Battles after which the first kind should fire on average: what the method needs by the mathematics of
        docs/methods; None where there is no such figure.
    once
        Whether there must be one alert of the first kind.
    unseen
        Why nothing is seen; empty if something is.
    """

    must: tuple[tuple[str, ...], ...] = ()
    may: frozenset[str] = frozenset()
    aim: int | None = None
    once: bool = False
    unseen: str = ""


def found(*must: str, may: str = "", aim: int | None = None, once: bool = True) -> Expected:
    """Say what must fire (`a|b`: one of the two) and, separated by spaces, what may."""
    return Expected(tuple(tuple(each.split("|")) for each in must), frozenset(may.split()), aim, once)


def unseen(why: str) -> Expected:
    """Say that nothing fires, and why."""
    return Expected(unseen=why)


NOTHING = Expected()

HEALTHY: dict[str, Expected] = {
    "healthy": NOTHING,
    "healthy-several-votes": NOTHING,
    "healthy-several-votes-by-voter": NOTHING,
    "healthy-votes-late": NOTHING,
    "healthy-votes-late-undated": NOTHING,
    "healthy-unfinished": NOTHING,
    "busy-policy-changes": NOTHING,
    "announced-retirement": NOTHING,
    "dirty-feed": NOTHING,
    "many-boards": NOTHING,
    "selection-bias-15": NOTHING,
    "selection-bias-15-unsent": NOTHING,
    "selection-bias-40": NOTHING,
}

DEFECTS: dict[str, Expected] = {
    "class-cut": found("share_drift|whole_policy", aim=2_500),
    "many-small-cuts": found("whole_policy", aim=2_200),
    "share-cut-075": found("share_drift", aim=12_400),
    "share-cut-065": found("share_drift", aim=6_300),
    "share-cut-055": found("share_drift", aim=3_800),
    "share-raised-150": found("share_drift", aim=4_300),
    "share-raised-175": found("share_drift", aim=2_000),
    "provider-raised": found("share_drift", aim=2_700),
    "share-ramp": found("share_drift", may="silent_removal", aim=136_000),
    "weaker-opponents": found("pairing_bias", aim=790),
    "always-left": found("side_bias", aim=790),
    "gone-in-a-language": found("stratum_removal", aim=2_600),
    "gone-in-a-category": found("stratum_removal", aim=2_100),
    # Aims of these kinds are for 20 % ties and 10 % of battles without a vote, as these scenarios have: times what the
    # likelihood ratio that knows the change loses by them.
    "half-the-losses-lost": found("result_break", aim=12_000),
    "wins-told-twice": found("repeated_votes", may="result_break prompt_reuse", once=False),
    "stronger-behind-the-name": found("result_break", aim=23_600),
    "bots-1": found("voter_manipulation", "result_break"),
    "bots-10": found("voter_manipulation", "result_break", once=False),
    "bots-300": found("result_break", may="voter_manipulation", aim=7_700),
    "omniscient-voter": found("voter_manipulation", may="result_break"),
    "voters-drift-left": found("side_preference", aim=1_460),
    "gate-everybody-none": found("vote_loss"),
    "gate-subject-none": found("vote_loss"),
    "gate-refused": found("vote_loss"),
    "gate-subject-away": found("share_drift"),
    "invented-names": found("name_flood", "undeclared_model"),
    "probability-misdeclared": found("declared_probability_wrong"),
    "policy-changes-too-often": found("policy_too_busy"),
    "several-votes-unmarked": found("draws_unclear"),
    "launched-low": found("silent_removal|share_drift", may="share_drift"),
    "silent-removal": found("silent_removal", may="share_drift"),
    "flicker": found("silent_removal", may="share_drift", once=False),
    "mass-removal": found("silent_removal", may="share_drift whole_policy", once=False),
    "share-drift": found("share_drift", once=False),
    "provider-boost": found("share_drift"),
    "selection-bias-40-unsent": found("share_drift"),
    "fleet-wide": found("feed_stalled"),
    "all-zeros": found("feed_stalled"),
    # One voter casts the votes, some again on the same pair and prompt, and its model wins more than its rating says.
    "flood": found("prompt_reuse", may="voter_manipulation repeated_votes result_break"),
    "prompt-reuse": found("prompt_reuse"),
    "undeclared-model": found("undeclared_model"),
    "unannounced-retirement": found("unannounced_retirement", once=False),
    # Five to ten notices, each within 900 seconds of the one before, and no `drawn_at`: most of a review is not judged.
    "private-variants": found("private_variants", may="score_retraction policy_too_busy"),
    "score-retraction": found("score_retraction", may="private_variants policy_too_busy", once=False),
    "best-of-n": found("best_of_n", may="private_variants score_retraction policy_too_busy"),
    "published-as": found("best_of_n", may="score_retraction"),
    "large-provider": found("data_inequality"),
    "open-models-retired": found("retirement_bias"),
    "never-retired": found("graph_fragile", once=False),
    "leader-swaps": found("rank_churn", may="result_break"),
    "the-illusion": found(
        "silent_removal", "private_variants", "score_retraction", "best_of_n", "data_inequality",
        may="share_drift whole_policy retirement_bias graph_fragile", once=False,
    ),
}  # fmt: skip

UNSEEN: dict[str, Expected] = {
    "shell-providers": unseen(
        "Private variants under other providers' names: every record fits the registry. Who stands behind a name is"
        " not in the stream."
    ),
    "losses-lost-from-the-start": unseen(
        "Votes deleted before they arrive, from a model's first battle on, with exposures that match: there is no"
        " before, and what arrives is what a stronger model would give. Only a log of the draws that others keep can"
        " tell."
    ),
    "tenth-of-the-losses-lost": unseen(
        "A tenth of one model's losses, 18 points: 9,000 votes before the defect give a rating whose error is a quarter"
        " of that, and a page needs six errors. With 39,000 votes before and as many after, a million battles each,"
        " the likelihood ratio would find it."
    ),
    "gate-everybody-away": unseen(
        "A gate that loses votes of everybody without a trace leaves a fair sample of the votes. The gate's own counts"
        " or a slower feed tell; votes that intake refuses are counted."
    ),
}

ELSEWHERE: dict[str, str] = {
    "outage": "all traffic stops: told in wall time, by the watcher beside the fold",
}
"""Scenarios whose alert does not come from the fold."""

EVERY: dict[str, Expected] = {**HEALTHY, **DEFECTS, **UNSEEN}
