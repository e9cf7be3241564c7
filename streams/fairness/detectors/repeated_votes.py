"""Repeated votes: the same voter votes on the same pair for the same prompt again, under a new id.

Deduplication drops a record whose id is known; this finds a vote that is told again under another id, by a voter's
script, by a gateway that sends twice, or by an arena that counts some results twice. A vote is a *repeat* when voter,
pair and prompt are those of one of the last `GENERATION` votes (up to twice as many). Two votes of one `battle` are two
turns of one draw, and neither is a trial.

Honest repeats exist: a person sends a vote again, or asks the same question until the same pair is drawn. A trial's
bound on the chance of a repeat is therefore

    max(FLOOR, 2·(ρ + 3 standard errors)) + k·π₁·π₂

with ρ the arena's share of repeats in its first `LEARN` votes with voter and prompt, k the number of earlier votes of
this voter on this prompt, and π₁, π₂ the two largest shares of battles: two models are drawn together in at most about
π₁·π₂/2 of the battles. The bets are `BETS`; `SparseCusum` keeps the evidence for each voter, for each model that won
the vote, and for the arena. A vote has at most three trials, so the level 3·B makes false alarms as rare as one in B
battles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from streams.contracts.alert import Evidence, Kind, Severity, Subject, voter_name
from streams.contracts.judged import Judged, Unjudged
from streams.contracts.vote import MODEL_B
from streams.fairness.alerts.summaries import day, percent, who
from streams.fairness.arena.context import Scene
from streams.fairness.arena.ratings import Ratings
from streams.fairness.arena.vote_memory import VoteMemory
from streams.fairness.detectors.base import NAMED, ReviewBattles, ReviewDetector, Verdict
from streams.fairness.detectors.share_alarm import LN10, rounded
from streams.fairness.detectors.unannounced_retirement import DAY
from streams.fairness.statistics.sparse_cusum import Alarm, SparseCusum, combine

Numbers = NDArray[np.int64]

BETS = np.array([0.2, 0.5, 0.9])
FLOOR = 0.05
"""Share of repeats that is honest in any arena and of any voter."""
LEARN = 20_000
"""Votes with voter and prompt from which the arena's share is learned."""
MOST_BOUND = 0.95
ASKED = 2
"""A vote counts for its model and the arena while its voter has voted on its prompt this often or less before."""
TRIALS = 3
VOTER, WINNER, ARENA = range(TRIALS)
"""Trials of one vote: of its voter, of the model that won, of the arena."""


class Repeats(msgspec.Struct):
    """The alarms of one subject: where and when the first began, the last one's time, and the counts of all of them."""

    onset: str
    since: float
    last: float
    votes: int
    repeats: int
    log_e: float


@dataclass(slots=True)
class RepeatedState:
    """State.

    Attributes
    ----------
    votes_seen
        Memory of voter, pair and prompt, with a hash of the battle.
    prompts_seen
        Memory of voter and prompt, with the number of votes.
    table
        Evidence by subject.
    rows
        Battles so far.
    learned, learned_repeats
        Votes with voter and prompt, and repeats among them, that give the usual share.
    judged_from
        Battles when the usual share was learned; -1 before.
    pair
        π₁·π₂ of the last review.
    level
        ln c.
    found
        Alarms by `field name` of the subject; of voters at most `NAMED`.
    further
        Alarms of voters beyond them.
    """

    votes_seen: VoteMemory = field(default_factory=VoteMemory)
    prompts_seen: VoteMemory = field(default_factory=VoteMemory)
    table: SparseCusum = field(default_factory=lambda: SparseCusum.start(BETS.size))
    rows: int = 0
    learned: int = 0
    learned_repeats: int = 0
    judged_from: int = -1
    pair: float = 1.0
    level: float = math.inf
    voters: bool = False
    prompts: bool = False
    found: dict[str, Repeats] = field(default_factory=dict)
    further: int = 0

    @property
    def usual(self) -> float:
        """Bound on the share of repeats that is usual here."""
        p, n = self.learned_repeats / max(self.learned, 1), max(self.learned, 1)
        return min(max(FLOOR, 2.0 * (p + 3.0 * math.sqrt(p * (1.0 - p) / n))), MOST_BOUND)


class RepeatedVotes(ReviewDetector[RepeatedState]):
    """Tells at each review whom the votes since the last one showed. Resolves `keep_days` after the last alarm."""

    kind = Kind.REPEATED_VOTES

    def gather(self, state: RepeatedState, battles: ReviewBattles) -> None:
        """Add the votes that have a voter and a prompt, in order."""
        rows = battles.rows
        before, state.rows = state.rows, state.rows + len(rows)
        state.voters = state.voters or (rows.voter is not None and bool(rows.voter.any()))
        state.prompts = state.prompts or (rows.prompt is not None and bool(rows.prompt.any()))
        if rows.voter is None or rows.prompt is None:
            return
        vote, asked, again, draw = _identify(
            battles.a, battles.b, battles.voted, rows.voter, rows.prompt,
            np.zeros(0, np.int32) if rows.battle is None else rows.battle,
            battles.words.voters, battles.words.prompts, battles.words.battles,
        )  # fmt: skip
        if not vote.size:
            return
        earlier, asked_before = state.votes_seen.replace(again, draw), state.prompts_seen.count(asked)
        if state.judged_from < 0:
            counted = (earlier <= 0) | (earlier != draw)
            state.learned += int(np.count_nonzero(counted))
            state.learned_repeats += int(np.count_nonzero(counted & (earlier >= 0)))
            return
        row, what, key, bound, hit, time = _trials(
            battles.a, battles.b, battles.winner, battles.voted, rows.voter, battles.words.voters, rows.tstamp,
            vote, draw, earlier, asked_before, state.usual, state.pair,
        )  # fmt: skip
        for alarm in state.table.update(key, bound, hit, BETS, time, state.level):
            at, kind = int(row[alarm.place]), int(what[alarm.place])
            if kind == VOTER:
                subject = Subject(voter=voter_name(rows.voters[int(rows.voter[at])]))
            elif kind == WINNER:
                subject = Subject(model=rows.models[int((rows.model_b if rows.winner[at] else rows.model_a)[at])])
            else:
                subject = Subject()
            _note(state, subject, alarm, f"{before + at}.{kind}", float(rows.tstamp[at]))

    def review(self, state: RepeatedState, scene: Scene, ratings: Ratings | None) -> None:
        """Take the shares of battles; forget alarms that are over."""
        state.level = math.log(TRIALS * scene.settings.ticks_between_pages * scene.settings.tick_battles)
        shares = scene.facts.window.last[list(scene.facts.roster.models.values())] / scene.settings.review_battles
        state.pair = float(np.prod(np.sort(np.minimum(shares, 1.0))[-2:]))
        if state.judged_from < 0 and state.learned >= LEARN:
            state.judged_from = scene.facts.rows
        end = scene.now.time - scene.settings.keep_days * DAY
        for name in [name for name, found in state.found.items() if found.last < end]:
            del state.found[name]

    def verdicts(self, state: RepeatedState, scene: Scene) -> list[Verdict]:
        """The arena alone where all its votes repeat; else the models and voters whose votes do."""
        names = ["arena "] if "arena " in state.found else list(state.found)
        made = []
        for name in names:
            what, found = name.split(" ", 1), state.found[name]
            subject = Subject(**{what[0]: what[1]}) if what[1] else Subject()
            evidence: Evidence = {
                "votes": found.votes,
                "repeats": found.repeats,
                "share": rounded(found.repeats / found.votes),
                "usual_share": rounded(state.learned_repeats / max(state.learned, 1)),
                "bound": rounded(state.usual),
                "log10_e": rounded(found.log_e / LN10),
            }
            made.append(Verdict(subject, Severity.WARNING, found.onset, found.since, evidence))
        return made

    def judged(self, state: RepeatedState, scene: Scene) -> Judged:
        """The arena, once its usual share is learned."""
        if not state.voters or not state.prompts:
            return Judged.not_yet(self.kind, Unjudged.NO_PROMPTS if state.voters else Unjudged.NO_VOTERS)
        if state.judged_from < 0:
            return Judged.not_yet(self.kind, Unjudged.LEARNING)
        return Judged(self.kind, judged=True, since_battle=state.judged_from)

    def summary(self, arena: str, verdict: Verdict) -> str:
        """One sentence."""
        e, subject = verdict.evidence, verdict.subject
        whose = f"votes {'won by' if subject.field == 'model' else 'of'} {who(arena, subject)}"
        whose += "" if subject.field == "arena" else f" in arena {arena}"
        return (
            f"{e['repeats']:,} of {e['votes']:,} {whose} since {day(verdict.starts_at)} repeat an earlier vote of the "
            f"same voter on the same pair and prompt: {percent(e['share'])} where up to {percent(e['bound'])} is "
            f"usual, evidence of 10^{e['log10_e']:.1f} to 1."
        )


@njit(cache=True)
def _identify(a, b, voted, voter, prompt, battle, voters, prompts, battles):  # type: ignore[no-untyped-def]
    """Find the votes with voter and prompt among n votes, and hash them.

    Returns their places among the n, int64[m]; the hashes of voter and prompt, and of these and the pair, uint64[m];
    and of the battle, uint32[m], 0 where there is none.
    """
    vote, draw = np.empty(len(a), np.int64), np.empty(len(a), np.uint32)
    asked, again = np.empty(len(a), np.uint64), np.empty(len(a), np.uint64)
    found = 0
    for place in range(len(a)):
        row = voted[place]
        if voter[row] == 0 or prompt[row] == 0:
            continue
        vote[found] = place
        asked[found] = combine(voters[voter[row]], prompts[prompt[row]])
        again[found] = combine(asked[found], combine(min(a[place], b[place]), max(a[place], b[place])))
        draw[found] = 0
        if len(battle) and battle[row]:
            draw[found] = max(battles[battle[row]] >> np.uint64(32), np.uint64(1))
        found += 1
    return vote[:found], asked[:found], again[:found], draw[:found]


@njit(cache=True)
def _trials(  # type: ignore[no-untyped-def]
    a, b, winner, voted, voter, hashes, tstamp, vote, draw, earlier, asked, usual, pair,
):  # fmt: skip
    """Make the trials of the m votes at `vote` among n, less the further turns of one draw.

    `earlier` is the draw of the last vote of the voter on the pair and prompt, -1 without one; `asked` the number of
    earlier votes on the prompt. Returns, for each trial: its row, its subject (`VOTER`, `WINNER`, `ARENA`), key, bound,
    hit and time.
    """
    most = TRIALS * len(vote)
    row, what, key = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.uint64)
    bound, hit, time = np.empty(most), np.empty(most, np.bool_), np.empty(most)
    trials = 0
    for index in range(len(vote)):
        at = vote[index]
        if earlier[index] > 0 and earlier[index] == draw[index]:
            continue
        for kind in range(TRIALS):
            if kind != VOTER and asked[index] > ASKED:  # one voter's many repeats have their own alert
                continue
            if kind == WINNER and winner[at] > MODEL_B:  # a tie is nobody's
                continue
            which = np.uint64(0)
            if kind == VOTER:
                which = hashes[voter[voted[at]]]
            elif kind == WINNER:
                which = np.uint64(b[at] if winner[at] else a[at])
            row[trials], what[trials], key[trials] = voted[at], kind, combine(kind, which)
            bound[trials] = min(usual + asked[index] * pair, MOST_BOUND)
            hit[trials], time[trials] = earlier[index] >= 0, tstamp[voted[at]]
            trials += 1
    return row[:trials], what[:trials], key[:trials], bound[:trials], hit[:trials], time[:trials]


def _note(state: RepeatedState, subject: Subject, alarm: Alarm, onset: str, time: float) -> None:
    name = f"{subject.field} {subject.name}"
    known = state.found.get(name)
    if known is not None:
        known.votes, known.repeats = known.votes + alarm.trials, known.repeats + alarm.hits
        known.last, known.log_e = max(known.last, time), alarm.log_e
    elif subject.voter is None or sum(each.startswith("voter ") for each in state.found) < NAMED:
        state.found[name] = Repeats(onset, float(alarm.since), time, alarm.trials, alarm.hits, alarm.log_e)
    else:
        state.further += 1
