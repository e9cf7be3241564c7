"""Voter manipulation: a voter who votes for a model, or against it, whatever the answers are.

For voter v and model X, each vote of v in a battle with X is a trial, and a win of X is a hit. While v judges answers
as others do, X wins against Y with at most

    p = logistic(θ_X − θ_Y + 3·√(s_X² + s_Y²) + TASTE)

where θ are the ratings in logits as last solved, and s their standard errors. A tie is no hit, so p, a rating's
expectation that counts a tie as half a win, has room for tastes beyond `TASTE`: with one tie in five, a voter may win
X three of four decided battles of equals. The bets are that v votes for X with probability 1 − ε, ε ∈ {.02, .1, .3}.
The same trials with a loss of X as the hit find a voter who votes against X. `SparseCusum` keeps the evidence.

Every battle with a voter has four trials (two models, for and against), so the level c = 4·B, with B the battles
between two false pages, makes false alarms as rare as one in B battles, whatever the number of voters.

Ratings include the manipulated votes, which lift p: it costs power while the voter is a large part of X's votes.

References
----------
.. [1] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
   New England J. Statistics in Data Science (2023), arXiv 2203.03532.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numba import njit

from streams.contracts.alert import Evidence, Kind, Severity, Subject, voter_name
from streams.contracts.judged import Judged, Unjudged
from streams.contracts.vote import MODEL_A, MODEL_B
from streams.fairness.alerts.summaries import day
from streams.fairness.arena.arrays import grow
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import Ratings, rate
from streams.fairness.arena.sampling_policy import Mask
from streams.fairness.detectors.base import NAMED, ReviewBattles, ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.detectors.unannounced_retirement import DAY
from streams.fairness.statistics.expected_share import Vector
from streams.fairness.statistics.sparse_cusum import Alarm, SparseCusum, combine
from streams.ratings.pairs import POINTS_PER_LOGIT

BETS = np.array([0.98, 0.9, 0.7])
TASTE = 0.4
"""Logits by which a voter may favour a model beyond what others think of it."""
ERRORS = 3.0
"""Standard errors of the ratings by which the expectation is widened."""
SEVERAL = 5
"""With more voters than this on one model, one alert is about the model and lists them."""
MOST_FOUND = 1_000
"""Most voters whose findings are kept; of further ones only the number."""
EARLY = (1, 2, 5, 10)
"""Reviews before the first regular look at the ratings that solve them, too."""
TRIALS = 4
"""Trials of one battle."""


class VoterAlarm(msgspec.Struct):
    """What is known of one voter: the last alarm, and the counts of all alarms together.

    `onset` and `since` are those of the first alarm, `last` is the time of the last one; `against` whether the voter
    votes against the model.
    """

    voter: str
    model: str
    against: bool
    onset: str
    since: float
    last: float
    votes: int
    hits: int
    due: float
    log_e: float


@dataclass(slots=True)
class Voters:
    """State.

    Attributes
    ----------
    theta, error
        float64[S], ratings in logits and their standard errors, as last solved.
    rated
        bool[S], models that had a rating then.
    table
        Evidence of pairs of voter and model.
    rows
        Battles so far.
    heard
        Whether any vote had a voter.
    solved
        Battles at the first solution of the ratings; -1 before it.
    level
        ln c.
    found
        Findings by voter, model and direction, in order of detection.
    further
        Alarms of voters beyond `MOST_FOUND`.
    """

    theta: Vector = field(default_factory=lambda: np.zeros(0))
    error: Vector = field(default_factory=lambda: np.zeros(0))
    rated: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    table: SparseCusum = field(default_factory=lambda: SparseCusum.start(BETS.size))
    rows: int = 0
    heard: bool = False
    solved: int = -1
    level: float = math.inf
    found: dict[str, VoterAlarm] = field(default_factory=dict)
    further: int = 0


class VoterManipulation(ReviewDetector[Voters]):
    """Tells at each review whom the votes since the last one showed. Resolves `keep_days` after the last alarm."""

    kind = Kind.VOTER_MANIPULATION

    def resize(self, state: Voters, subjects: int) -> None:
        """Grow the arrays of the state to `subjects`."""
        grow(state, subjects, "theta", "error", "rated")

    def gather(self, state: Voters, battles: ReviewBattles) -> None:
        """Add the votes with a voter between rated models, in order."""
        rows = battles.rows
        before, state.rows = state.rows, state.rows + len(rows)
        if rows.voter is None or not battles.a.size:
            return
        state.heard = state.heard or bool(rows.voter[battles.voted].any())
        if state.solved < 0:
            return
        row, key, bound, hit, time = _trials(
            battles.a, battles.b, battles.winner, battles.voted, rows.voter, battles.words.voters, rows.tstamp,
            state.rated, state.theta, state.error,
        )  # fmt: skip
        for alarm in state.table.update(key, bound, hit, BETS, time, state.level):
            at, trial = divmod(alarm.place, TRIALS)
            codes = (rows.model_a, rows.model_b) if trial in (0, 3) else (rows.model_b, rows.model_a)
            model, name = rows.models[int(codes[0][row[at]])], voter_name(rows.voters[int(rows.voter[row[at]])])
            self._note(state, name, model, trial % 2 == 1, alarm, before + int(row[at]), float(rows.tstamp[row[at]]))

    def _note(self, state: Voters, name: str, model: str, against: bool, alarm: Alarm, row: int, time: float) -> None:
        key = f"{name} {'-' if against else '+'} {model}"
        known = state.found.get(key)
        if known is not None:
            known.votes, known.hits, known.due = (
                known.votes + alarm.trials, known.hits + alarm.hits, known.due + alarm.due,
            )  # fmt: skip
            known.last, known.log_e = max(known.last, time), alarm.log_e
        elif len(state.found) < MOST_FOUND:
            state.found[key] = VoterAlarm(
                name, model, against, f"{row}.{int(against)}", float(alarm.since), time, alarm.trials, alarm.hits,
                alarm.due, alarm.log_e,
            )  # fmt: skip
        else:
            state.further += 1

    def review(self, state: Voters, scene: Scene, ratings: Ratings | None) -> None:
        """Take the ratings; forget findings that are over."""
        state.level = math.log(TRIALS * scene.settings.ticks_between_pages * scene.settings.tick_battles)
        if ratings is None and state.heard and scene.facts.window.reviews in EARLY:
            ratings = rate(scene)
        if ratings is not None:
            state.rated[:] = False
            state.rated[ratings.number] = ratings.ranked
            state.theta[ratings.number] = ratings.rating / POINTS_PER_LOGIT
            state.error[ratings.number] = ratings.error / POINTS_PER_LOGIT
            if state.solved < 0:
                state.solved = scene.facts.rows
        end = scene.now.time - scene.settings.keep_days * DAY
        for key in [key for key, found in state.found.items() if found.last < end]:
            del state.found[key]

    def verdicts(self, state: Voters, scene: Scene) -> list[Verdict]:
        """Each voter's finding with most votes; one verdict on a model to which more than `SEVERAL` voters do it.

        Who votes for X votes against all models that meet X, too, so a voter is told for one model only.
        """
        chief: dict[str, VoterAlarm] = {}
        for found in state.found.values():
            known = chief.get(found.voter)
            if known is None or (found.votes, not found.against) > (known.votes, not known.against):
                chief[found.voter] = found
        groups: dict[tuple[str, bool], list[VoterAlarm]] = {}
        for found in chief.values():
            groups.setdefault((found.model, found.against), []).append(found)
        made: dict[Subject, Verdict] = {}
        for (model, against), group in sorted(groups.items()):
            several = len(group) > SEVERAL
            for found in group[:1] if several else group:
                subject = Subject(model=model) if several else Subject(voter=found.voter)
                evidence = _evidence(group if several else [found], model, against)
                if several:
                    evidence["voters"] = [each.voter for each in group[:NAMED]]
                    evidence["voters_found"] = len(group)
                made.setdefault(subject, Verdict(subject, Severity.WARNING, found.onset, found.since, evidence))
        return list(made.values())

    def judged(self, state: Voters, scene: Scene) -> Judged:
        """The arena, once the ratings are solved."""
        if not state.heard:
            return Judged.not_yet(self.kind, Unjudged.NO_VOTERS)
        if state.solved < 0:
            return Judged.not_yet(self.kind, Unjudged.FIRST_RATINGS)
        return Judged(self.kind, judged=True, since_battle=state.solved)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e = verdict.evidence
        who = f"{e['voters_found']:,} voters" if "voters_found" in e else f"Voter {verdict.subject.name}"
        verb = "vote" if "voters_found" in e else "votes"
        return (
            f"{who} of arena {arena} {verb} {e['direction']} {e['model']} since {day(verdict.starts_at)}: so in "
            f"{e['hits']:,} of {e['votes']:,} votes on it, where others would in at most {e['expected_hits']:.1f}, "
            f"evidence of 10^{e['log10_e']:.1f} to 1."
        )


def _evidence(group: list[VoterAlarm], model: str, against: bool) -> Evidence:
    return {
        "model": model,
        "direction": "against" if against else "for",
        "votes": sum(each.votes for each in group),
        "hits": sum(each.hits for each in group),
        "expected_hits": rounded(sum(each.due for each in group)),
        "log10_e": rounded(max(each.log_e for each in group) / LN10),
    }


@njit(cache=True)
def _trials(a, b, winner, voted, voter, hashes, tstamp, rated, theta, error):  # type: ignore[no-untyped-def]
    """Make the trials of n votes: for a, against b (a wins); for b, against a (b wins).

    Returns the rows of the judged votes, int64[m], and their trials' keys, bounds, hits and times, [4·m]. The keys for
    and against a model differ in the last bit, so that they are neighbours in the table.
    """
    row = np.empty(len(a), np.int64)
    key, bound = np.empty((len(a), TRIALS), np.uint64), np.empty((len(a), TRIALS))
    hit, time = np.empty((len(a), TRIALS), np.bool_), np.empty((len(a), TRIALS))
    judged = 0
    for vote in range(len(a)):
        one, other, who = a[vote], b[vote], voter[voted[vote]]
        if who == 0 or not (rated[one] and rated[other]):
            continue
        slack = ERRORS * np.sqrt(error[one] * error[one] + error[other] * error[other]) + TASTE
        gap = theta[one] - theta[other]
        of_one = max(combine(hashes[who], one) & ~np.uint64(1), np.uint64(2))
        of_other = max(combine(hashes[who], other) & ~np.uint64(1), np.uint64(2))
        key[judged, 0], key[judged, 1] = of_one, of_other | np.uint64(1)
        key[judged, 2], key[judged, 3] = of_other, of_one | np.uint64(1)
        bound[judged, :2] = 1.0 / (1.0 + np.exp(-(gap + slack)))
        bound[judged, 2:] = 1.0 / (1.0 + np.exp(gap - slack))
        hit[judged, :2], hit[judged, 2:] = winner[vote] == MODEL_A, winner[vote] == MODEL_B
        time[judged] = tstamp[voted[vote]]
        row[judged] = voted[vote]
        judged += 1
    return (
        row[:judged], key[:judged].ravel(), bound[:judged].ravel(), hit[:judged].ravel(), time[:judged].ravel()
    )  # fmt: skip
