"""Counts add: order, partition and names do not matter to them, and each board counts its own votes."""

from collections import Counter
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.vote import BOTH_BAD, MODEL_A, MODEL_B, NONE, TIE, Vote
from streams.ledger.codec import Block
from streams.ratings.elo import compiled, interpreted
from streams.ratings.fold import ArenaState, Folded, fold
from tests.unit.folds.making import LIMITS, block, counts, elo, everything, folded, vote
from tests.unit.intake.making import seeded

pairs = st.permutations(["x", "y", "z", "w", "v", "u", "t"]).map(lambda names: names[:2])
winners = st.sampled_from(["model_a", "model_b", "tie", "both_bad", "none"])
labels = st.fixed_dictionaries(
    {},
    optional={
        "language": st.sampled_from(["", "en", "fr"]),
        "categories": st.lists(st.sampled_from(["", "code", "math"]), max_size=3),
    },
)
any_vote = st.builds(lambda pair, winner, more: vote(*pair, winner, **more), pairs, winners, labels)
vote_lists = st.lists(any_vote, max_size=25)


def cut(votes: list[Vote], at) -> list[Block]:
    """The votes in blocks of the sizes given, over and over."""
    blocks, done = [], 0
    while done < len(votes):
        size = at[len(blocks) % len(at)]
        blocks.append(block(votes[done : done + size], first=done))
        done += size
    return blocks


@settings(seeded, max_examples=60)
@given(vote_lists, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_does_not_matter_to_the_counts(votes: list[Vote], random: Random) -> None:
    shuffled = random.sample(votes, len(votes))
    assert counts(folded(cut(votes, [3]))) == counts(folded(cut(shuffled, [5, 1])))


@settings(seeded, max_examples=60)
@given(vote_lists, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_where_blocks_are_cut_does_not_matter_at_all(votes: list[Vote], at) -> None:
    whole, pieces = folded(cut(votes, [100])), folded(cut(votes, at))
    pieces.position = whole.position
    assert everything(whole) == everything(pieces)


@settings(seeded, max_examples=60)
@given(vote_lists, st.lists(st.integers(0, 2), min_size=25, max_size=25))
def test_the_partition_of_a_vote_does_not_matter(votes: list[Vote], partition) -> None:
    spread = [block([each], first=at, partition=partition[at]) for at, each in enumerate(votes)]
    assert counts(folded(spread)) == counts(folded(cut(votes, [100])))
    assert elo(folded(spread)) == elo(folded(cut(votes, [100])))


@settings(seeded, max_examples=60)
@given(vote_lists, st.permutations(["x", "y", "z", "w", "v", "u", "t"]))
def test_other_names_give_the_same_numbers(votes: list[Vote], names) -> None:
    renamed = dict(zip(["x", "y", "z", "w", "v", "u", "t"], names, strict=True))
    others = [
        vote(
            renamed[each.model_a],
            renamed[each.model_b],
            each.winner,
            language=each.language,
            categories=each.categories,
        )
        for each in votes
    ]
    original = counts(folded(cut(votes, [4])))
    expected = Counter({(name, renamed[a], renamed[b], winner): n for (name, a, b, winner), n in original.items()})
    assert expected == counts(folded(cut(others, [7])))


@settings(seeded, max_examples=50)
@given(vote_lists)
def test_compiled_and_interpreted_games_give_the_same_state(votes: list[Vote]) -> None:
    one, other = ArenaState("text"), ArenaState("text")
    for each in cut(votes, [6]):
        fold(one, each, LIMITS, compiled())
        fold(other, each, LIMITS, interpreted)
    assert everything(one) == everything(other)


def test_every_outcome_is_counted_where_it_was_shown() -> None:
    votes = [vote("x", "y", winner) for winner in ("model_a", "model_b", "tie", "both_bad", "none")]
    assert counts(folded([block([*votes, vote("y", "x")])])) == {
        **{("overall", "x", "y", code): 1 for code in (MODEL_A, MODEL_B, TIE, BOTH_BAD, NONE)},
        ("overall", "y", "x", MODEL_A): 1,
    }


def test_a_battle_without_a_vote_is_exposure_and_no_game() -> None:
    state = folded([block([vote("x", "y", "none")] * 3)])
    assert counts(state) == {("overall", "x", "y", NONE): 3}
    assert state.boards["overall"].elo.tolist() == [1000.0, 1000.0]


def test_unvoted_battles_do_not_disturb_the_games_between_them() -> None:
    games = [vote("x", "y"), vote("y", "z", "tie"), vote("z", "x", "model_b")]
    mixed = [each for game in games for each in (vote("z", "y", "none"), game)]
    assert elo(folded([block(mixed)])) == elo(folded([block(games)]))


def test_elo_depends_on_the_order_and_only_on_it() -> None:
    games = [vote("x", "y"), vote("x", "z"), vote("y", "z")] * 10
    assert elo(folded([block(games)])) != elo(folded([block(games[::-1])]))
    assert elo(folded([block(games)])) == elo(folded(cut(games, [4])))


def test_many_models_find_room() -> None:
    votes = [vote(f"m{number}", f"m{number + 1}") for number in range(300)]
    state = folded([block(votes[:3]), block(votes[3:], first=3)])
    assert counts(state) == {("overall", f"m{number}", f"m{number + 1}", MODEL_A): 1 for number in range(300)}
    assert len(state.boards["overall"].elo) == 301


def test_the_newest_times_are_kept() -> None:
    state = folded(
        [
            block([vote("x", "y", tstamp=9), vote("x", "y", tstamp=3)], recorded=7_000),
            block([vote("x", "y", tstamp=1)], first=2, recorded=5_000),
        ]
    )
    assert (state.tstamp, state.recorded) == (9.0, 7_000)


def test_a_fold_says_what_it_did() -> None:
    state = ArenaState("text")
    first = block([vote("x", "y", language="en"), vote("x", "y")])
    assert fold(state, first, LIMITS, interpreted) == Folded(2, 0, frozenset({"overall", "language:en"}))
    again = block([vote("x", "y", language="en"), vote("x", "y"), vote("x", "y", categories=["code"])])
    assert fold(state, again, LIMITS, interpreted) == Folded(1, 2, frozenset({"overall", "category:code"}))
    assert fold(state, again, LIMITS, interpreted) == Folded(0, 3, frozenset())


def test_a_state_holds_numbers_that_can_be_saved() -> None:
    state = folded([block([vote("x", "y")])])
    assert [type(value) for value in (state.recorded, state.tstamp, state.unrated)] == [int, float, int]
    assert {type(number) for number in state.boards["overall"].members} == {int}
    assert state.boards["overall"].met.counts.dtype == np.int64
    assert type(state.boards["overall"].battles) is int
