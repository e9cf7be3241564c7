"""What the attacks that go on do to drawn battles: to pairs, sides, contents, votes, and to what is sent.

Each attack draws its own random numbers, so that the other battles stay those of the arena without it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from services.simulate import events
from services.simulate.columns import REFUSED, Columns, joined
from services.simulate.conditions import Conditions, Ongoing
from services.simulate.sampler import Codes, Sampler, Vector
from streams.contracts.vote import MODEL_A, MODEL_B, NONE

Outcomes = Callable[[np.random.Generator, Codes, Codes], NDArray[np.uint8]]
"""Draws how battles of these models end."""
LEFT = {"none": NONE, "refused": REFUSED}
"""What a lost vote leaves in the stream."""


def skew_pairs(conditions: Conditions, sampler: Sampler, strength: Vector, a: Codes, b: Codes) -> tuple[Codes, Codes]:
    """Return the pairs after the attacks on opponents and sides; int32[n] each."""
    for pairing, attack in conditions.of(events.Pairing):
        others = np.flatnonzero((sampler.weights > 0) & ~attack.who)
        if not others.size:
            continue
        ranked = others[np.argsort(strength[others], kind="stable")]
        half = (ranked.size + 1) // 2
        able = ranked[:half] if pairing.against == "weaker" else ranked[ranked.size - half :]
        cumulated = np.cumsum(sampler.weights[able])
        for mine, theirs in ((a, b), (b, a)):
            rows = np.flatnonzero(attack.who[mine] & ~attack.who[theirs])
            spot = np.searchsorted(cumulated, attack.random.random(rows.size) * cumulated[-1], side="right")
            theirs[rows] = able[np.minimum(spot, able.size - 1)]
    for turned, attack in conditions.of(events.Side):
        wrong, right = (b, a) if turned.side == "a" else (a, b)
        moved = attack.who[wrong] & ~attack.who[right] & (attack.random.random(a.size) < turned.part)
        a, b = np.where(moved, b, a), np.where(moved, a, b)
    return a, b


def move_strata(conditions: Conditions, columns: Columns, languages: list[str], categories: list[str]) -> None:
    """Let a model's battles leave a stratum; other models' battles come in, so that both keep their numbers."""
    for event, attack in conditions.of(events.Stratum):
        first, second = columns.involves(attack.who)
        shown = first | second
        if event.language is not None and columns.language is not None:
            inside = columns.language == languages.index(event.language)
            leave, come = _exchanged(attack, event.part, shown & inside, ~shown & ~inside)
            columns.language[leave], columns.language[come] = columns.language[come], columns.language[leave]
        if event.category is not None and columns.categories is not None:
            bit = np.int32(1 << categories.index(event.category))
            inside = (columns.categories & bit) > 0
            leave, come = _exchanged(attack, event.part, shown & inside, ~shown & ~inside)
            columns.categories[leave] ^= bit
            columns.categories[come] ^= bit


def _exchanged(
    attack: Ongoing, part: float, inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose rows to leave and as many to come in their place."""
    leave = np.flatnonzero(inside & (attack.random.random(inside.size) < part))
    able = np.flatnonzero(outside)
    n = min(leave.size, able.size)
    return leave[:n], attack.random.choice(able, n, replace=False)


def cast_bots(conditions: Conditions, columns: Columns, first_voter: Callable[[int], int]) -> None:
    """Let bots vote; `first_voter` gives the code of the first bot of the event with this number.

    The votes are due at battles drawn beforehand, and each is cast on the next battle that the bot votes on, so there
    are exactly as many as ordered, unless the arena shows the models too rarely.
    """
    for (where, _), attack in conditions.attacks.items():
        event = attack.event
        if not isinstance(event, events.Bots):
            continue
        first, second = columns.involves(attack.who)
        wins = np.where(first, MODEL_A, MODEL_B).astype(np.uint8)
        able = np.flatnonzero((first ^ second) & ((columns.winner != wins) if event.omniscient else True))
        due = attack.due[attack.due <= columns.draw.max(initial=-1)]
        # The vote due k-th gets a battle after the one of the vote before: s_k − k never falls.
        number = np.arange(due.size)
        spots = number + np.maximum.accumulate(np.searchsorted(columns.draw[able], due) - number)
        cast = able[spots[spots < able.size]]
        attack.due = attack.due[cast.size :]
        attack.done += cast.size
        columns.winner[cast] = wins[cast]
        if columns.voter is None:
            columns.voter = np.zeros(len(columns), np.int32)
        columns.voter[cast] = first_voter(int(where[7:-1])) + attack.random.integers(event.voters, size=cast.size)


def lean(conditions: Conditions, columns: Columns) -> None:
    """Turn a part of the right answers' wins into wins of the left ones."""
    for event, attack in conditions.of(events.Lean):
        turned = (columns.winner == MODEL_B) & (attack.random.random(len(columns)) < event.part)
        columns.winner[turned] = MODEL_A


def lose(conditions: Conditions, columns: Columns, outcomes: Outcomes) -> Columns:
    """Lose votes: as battles that nobody voted on, without any record, refused by intake, or fought again."""
    for event, attack in conditions.of(events.Lose):
        rows = _lost(attack, columns, event.outcome, event.part)
        if event.to == "away":
            kept = np.ones(len(columns), np.bool_)
            kept[rows] = False
            columns = columns.take(kept)
        elif event.to in LEFT:
            columns.winner[rows] = LEFT[event.to]
        while event.to == "again" and rows.size:
            columns.winner[rows] = outcomes(attack.random, columns.a[rows], columns.b[rows])
            rows = rows[_lost(attack, columns.take(rows), event.outcome, event.part)]
    return columns


def _lost(attack: Ongoing, columns: Columns, outcome: events.Outcome, part: float) -> NDArray[np.int64]:
    """Rows with this outcome for the models that are among the part."""
    first, second = columns.involves(attack.who)
    left, right = columns.winner == MODEL_A, columns.winner == MODEL_B
    if outcome == "any":
        meant = (first | second) & (columns.winner < NONE)
    elif outcome == "win":
        meant = (first & left) | (second & right)
    else:
        meant = (first & right) | (second & left)
    return np.flatnonzero(meant & (attack.random.random(len(columns)) < part))


def misstate(conditions: Conditions, columns: Columns) -> None:
    """Send wrong probabilities of pairs."""
    for event, attack in conditions.of(events.Misstate):
        if columns.p_pair is not None:
            first, second = columns.involves(attack.who)
            columns.p_pair[first | second] *= event.factor


def invent(conditions: Conditions, columns: Columns, models: int, code: Callable[[str], int]) -> None:
    """Give battles invented names: numbers from `models` on; `code` gives the code of their voter."""
    for event, attack in conditions.of(events.Invent):
        rows = np.flatnonzero(attack.random.random(len(columns)) < event.share)
        number = attack.done + np.arange(rows.size)
        columns.a[rows] = models + 2 * number % event.names
        columns.b[rows] = models + (2 * number + 1) % event.names
        attack.done += rows.size
        if event.voter:
            if columns.voter is None:
                columns.voter = np.zeros(len(columns), np.int32)
            columns.voter[rows] = code(event.voter)


def retell(conditions: Conditions, columns: Columns) -> Columns:
    """Send votes a second time, later, after all others of these rows: the ids of votes are their places."""
    parts = [columns]
    for event, attack in conditions.of(events.Retell):
        again = columns.take(_lost(attack, columns, event.outcome, event.part))
        later = again.tstamp + attack.random.exponential(event.seconds, len(again))
        again.tstamp = np.round(later, 3)
        parts.append(again)
    return joined(parts) if len(parts) > 1 else columns
