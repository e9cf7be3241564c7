"""Vote loss: more votes are refused, or more battles end without a vote, than the arena's own past says.

Three sets of shares are learned and watched for a rise, see `LearnedShare`, one review as a unit: battles that ended
without a vote (`none`), of the arena and of each model; votes that intake refused, of the arena for each reason, and of
each model. A gate that drops the votes of battles with X shows in the share of X; one that drops everybody's, in the
arena's.

One cause is one alert: when more than a few models rise together, only the arena is told; when few models account for
most of the arena's excess, only these are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity, Subject
from streams.contracts.judged import Judged, Unjudged
from streams.contracts.reasons import Reason
from streams.contracts.vote import NONE
from streams.fairness.alerts.summaries import day, percent, who
from streams.fairness.arena.arrays import pad
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import Ratings
from streams.fairness.detectors.base import ReviewBattles, ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.detectors.unannounced_retirement import DAY
from streams.fairness.statistics.expected_share import Vector
from streams.fairness.statistics.learned_share import LearnedShare
from streams.ledger.refused import Refused

REASONS = tuple(reason.value for reason in Reason)
"""Numbered for good: states hold one share for each. New reasons come last."""
FEW, FEW_PART = 3, 0.1
"""Up to so many models, or this part of those judged, are told by name."""
MOST_NAMES = 1_000
"""Names counted among the refused votes of a review."""


@dataclass(slots=True)
class Tally:
    """Refused votes between two reviews, by reason and by model; `total` counts all of them."""

    total: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)


def _one_share(subjects: int) -> LearnedShare:
    share = LearnedShare()
    share.resize(subjects)
    return share


@dataclass(slots=True)
class Losses:
    """State.

    Attributes
    ----------
    unfinished
        int64[S], battles without a vote since the last review, by model; `unfinished_all` those of the arena.
    tallies
        Refused votes by the number of the review that counts them.
    by_model, by_arena
        Shares of battles without a vote.
    refused_by_model, refused_by_reason
        Shares of refused votes.
    most
        The largest number of shares learned so far.
    """

    unfinished: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unfinished_all: int = 0
    tallies: dict[int, Tally] = field(default_factory=dict)
    by_model: LearnedShare = field(default_factory=LearnedShare)
    by_arena: LearnedShare = field(default_factory=lambda: _one_share(1))
    refused_by_model: LearnedShare = field(default_factory=LearnedShare)
    refused_by_reason: LearnedShare = field(default_factory=lambda: _one_share(len(REASONS)))
    most: int = 1


class VoteLoss(ReviewDetector[Losses]):
    """Checks each review. Resolves after reviews in which the share is at its usual bound or below.

    After `keep_days` the alert resolves, too, and what is usual is learned anew: an arena may have begun to send
    unfinished battles for good.
    """

    kind = Kind.VOTE_LOSS

    def resize(self, state: Losses, subjects: int) -> None:
        """Grow the arrays of the state to `subjects`."""
        state.unfinished = pad(state.unfinished, subjects)
        state.by_model.resize(subjects)
        state.refused_by_model.resize(subjects)

    def gather(self, state: Losses, battles: ReviewBattles) -> None:
        """Count the battles without a vote."""
        none = battles.rows.winner == NONE
        if none.any():
            numbers = np.concatenate([side[none] for side in battles.numbers])
            state.unfinished += np.bincount(numbers[numbers >= 0], minlength=state.unfinished.size)
            state.unfinished_all += int(np.count_nonzero(none))

    def refused(self, state: Losses, scene: Scene, refused: Refused) -> None:
        """Count refused votes. Those after a review's last row are the next review's, wherever the block ends."""
        review = (scene.facts.rows + refused.place) // scene.settings.review_battles
        for at, reason, a, b in zip(
            review.tolist(), refused.reason.tolist(), refused.model_a.tolist(), refused.model_b.tolist(), strict=True
        ):
            tally = state.tallies.setdefault(at, Tally())
            tally.total += 1
            _add(tally.reasons, [refused.reasons[reason]], len(REASONS))
            _add(tally.models, {refused.models[code] for code in sorted({a, b} - {0})}, MOST_NAMES)

    def review(self, state: Losses, scene: Scene, ratings: Ratings | None) -> None:
        """Process a review; one in which the feed was stalled says nothing of what is usual, and is told as that."""
        settings, facts, roster = scene.settings, scene.facts, scene.facts.roster
        tally = state.tallies.pop(facts.rows // settings.review_battles - 1, Tally())
        unfinished, unfinished_all = state.unfinished, state.unfinished_all
        state.unfinished, state.unfinished_all = np.zeros_like(unfinished), 0
        if facts.outage_row > facts.rows - settings.review_battles:
            return
        size, battles = len(roster), float(settings.review_battles)
        shares = (state.by_model, state.by_arena, state.refused_by_model, state.refused_by_reason)
        state.most = max(state.most, sum(int(np.count_nonzero(share.learned)) for share in shares))
        level = math.log(state.most * settings.ticks_between_pages)
        dt = battles / settings.tick_battles

        def close(share: LearnedShare, k: Vector, n: Vector) -> None:
            share.update(k, n, settings.delta, level, dt, facts.rows, facts.clock)
            share.relearn(facts.clock - settings.keep_days * DAY)

        shown = np.zeros(size)
        models = list(roster.models.values())
        shown[models] = facts.window.last[models]
        # Further rows of a draw may be without a vote, too: there are never more unfinished battles than battles.
        close(state.by_model, np.minimum(unfinished, shown).astype(np.float64), shown)
        close(state.by_arena, np.array([min(float(unfinished_all), battles)]), np.array([battles]))
        lost = np.zeros(size)
        for name, count in tally.models.items():
            if name in roster.models:
                lost[roster.models[name]] = count
        close(state.refused_by_model, lost, shown + lost)
        reasons = np.array([float(tally.reasons.get(reason, 0)) for reason in REASONS])
        close(state.refused_by_reason, reasons, np.full(len(REASONS), battles + tally.total))

    def verdicts(self, state: Losses, scene: Scene) -> list[Verdict]:
        """The shares in alarm, one alert for one cause."""
        subjects = scene.facts.roster.subjects
        made: dict[Subject, Verdict] = {}
        for what, models, whole in (
            ("unfinished", state.by_model, state.by_arena),
            ("refused", state.refused_by_model, state.refused_by_reason),
        ):
            named, arena = _attributed(models, whole)
            for number in named:
                made.setdefault(subjects[number], _verdict(subjects[number], what, models, number, scene))
            if arena is not None:
                verdict = _verdict(Subject(), what, whole, arena, scene)
                if what == "refused":
                    verdict.evidence["reason"] = REASONS[arena]
                made.setdefault(Subject(), verdict)
        return list(made.values())

    def judged(self, state: Losses, scene: Scene) -> Judged:
        """The arena and the models whose usual shares are learned."""
        if not scene.facts.rows:
            return Judged.not_yet(self.kind, Unjudged.NO_BATTLES)
        if not state.refused_by_reason.learned.any():
            return Judged.not_yet(self.kind, Unjudged.LEARNING)
        models = state.by_model.learned | state.refused_by_model.learned
        return Judged(self.kind, judged=True, subjects=1 + int(np.count_nonzero(models)))

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e, subject = verdict.evidence, verdict.subject
        whose = "" if subject.field == "arena" else f" with {who(arena, subject)}"
        what = f"battles{whose} in arena {arena} end without a vote"
        if e["lost"] == "refused":
            why = f" as {e['reason']}" if "reason" in e else ""
            what = f"votes{whose} in arena {arena} are refused{why}"
        return (
            f"{percent(e['share'])} of the {what} since {day(verdict.starts_at)}, {e['hits']:,} of {e['trials']:,}, "
            f"against a usual {percent(e['usual_share'])}, evidence of 10^{e['log10_e']:.1f} to 1."
        )


def _add(counts: dict[str, int], names: Iterable[str], most: int) -> None:
    for name in names:
        if name in counts or len(counts) < most:
            counts[name] = counts.get(name, 0) + 1


def _attributed(models: LearnedShare, whole: LearnedShare) -> tuple[list[int], int | None]:
    """Return the models to tell, and the number of the whole's share to tell, if any."""
    named = np.flatnonzero(models.alarmed).tolist()
    risen = np.flatnonzero(whole.alarmed)
    if not risen.size:
        return named, None
    first = int(risen[np.argmax(whole.log_e[risen])])
    if len(named) > max(FEW, FEW_PART * np.count_nonzero(models.learned)):
        return [], first
    excess = (whole.last_hits - whole.usual * whole.last_trials)[risen].sum()
    explained = (models.last_hits - models.usual * models.last_trials)[named].sum()
    return named, None if explained >= 0.5 * excess else first


def _verdict(subject: Subject, what: str, share: LearnedShare, number: int, scene: Scene) -> Verdict:
    hits, trials = float(share.last_hits[number]), float(share.last_trials[number])
    return Verdict(
        subject,
        Severity.WARNING,
        f"{int(share.row[number])}.{what}",
        float(share.time[number]),
        {
            "lost": what,
            "hits": int(hits),
            "trials": int(trials),
            "share": rounded(hits / trials if trials else 0.0),
            "usual_share": rounded(float(share.usual[number])),
            "bound": rounded(float(share.bound(scene.settings.delta)[number])),
            "dispersion": rounded(float(share.dispersion[number])),
            "log10_e": rounded(float(share.log_e[number]) / LN10),
        },
    )
