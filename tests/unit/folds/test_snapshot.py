"""A saved state is the state, bit for bit, and a save of what changed is a save of all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.history import TIERS
from streams.contracts.vote import Vote
from streams.ledger.codec import Notice
from streams.ratings.elo import interpreted
from streams.ratings.fold import ArenaState, fold
from streams.ratings.history import RatingsHistory
from streams.ratings.publish import make_board
from streams.ratings.snapshot import META, Snapshots, board_field, decode_state, history_field
from tests.support.boards import set_shown, shown
from tests.unit.folds.making import LIMITS, block, everything, folded, notice, vote
from tests.unit.intake.making import seeded

names = st.sampled_from(["x", "y", "z", "é", "𝕏", "a:b", "\0", "board:overall"])
winners = st.sampled_from(["model_a", "model_b", "tie", "both_bad", "none"])
votes = st.builds(
    lambda a, b, winner, language, tstamp: vote(a, b + "'", winner, language=language, tstamp=tstamp),
    names, names, winners, names | st.just(""), st.floats(0, 1e300),
)  # fmt: skip
steps = st.lists(st.lists(votes, min_size=1, max_size=6) | names, max_size=8)


def records(chosen: list[list[Vote] | str]) -> list[Notice]:
    """Blocks, and notices where a step is a name."""
    first, made = 0, []
    for at, step in enumerate(chosen):
        if isinstance(step, str):
            made.append(notice(step, at, provider=step, weight=0.1, family="f"))
        else:
            made.append(block(step, first=first, partition=at % 2))
            first += len(step)
    return made


@settings(seeded, max_examples=80)
@given(steps)
def test_what_is_read_is_what_was_saved(chosen: list[list[Vote] | str]) -> None:
    state = folded(records(chosen))
    assert everything(decode_state(Snapshots().encode(state, ()))) == everything(state)


@settings(seeded, max_examples=60)
@given(steps, steps)
def test_a_restored_state_goes_on_as_the_original_would(
    before: list[list[Vote] | str], after: list[list[Vote] | str]
) -> None:
    made = records([*before, *after])
    state = folded(made[: len(before)])
    restored = decode_state(Snapshots().encode(state, ()))
    for record in made[len(before) :]:
        fold(state, record, LIMITS, interpreted)
        fold(restored, record, LIMITS, interpreted)
    assert everything(restored) == everything(state)


@settings(seeded, max_examples=60)
@given(steps, st.lists(st.booleans(), min_size=8, max_size=8))
def test_saving_what_changed_is_saving_all(chosen: list[list[Vote] | str], saves) -> None:
    state, snapshots, saved, unsaved = ArenaState("text"), Snapshots(), {}, set()
    for record, save in zip(records(chosen), saves, strict=False):
        unsaved |= fold(state, record, LIMITS, interpreted).changed
        state.position += 1
        if save:
            saved |= snapshots.encode(state, unsaved)
            snapshots.saved()
            unsaved = set()
    saved |= snapshots.encode(state, unsaved)
    assert saved == Snapshots().encode(state, ())


FATES = ("done", "refused", "unanswered", "late")


@settings(seeded, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 150_000), winners), min_size=2, max_size=12))
def test_whatever_became_of_the_saves_before_what_is_saved_is_a_state(saves) -> None:
    """Refused, done without an answer, or done late, which its serial allows until a later one is done."""
    state, snapshots = ArenaState("text", history=RatingsHistory()), Snapshots()
    saved, unsaved, late, recorded = {}, set(), None, 1_000
    for number, (fate, pause, winner) in enumerate(saves):
        recorded += pause
        record = block([vote("x", "y", winner, tstamp=recorded / 1000)], first=number, recorded=recorded)
        unsaved |= fold(state, record, LIMITS, interpreted).changed
        state.position += 1
        fields = snapshots.encode(state, unsaved)
        if fate == "late":
            late = fields
            continue
        if fate == "refused" and late is not None:
            saved |= late
        if fate in ("done", "unanswered"):
            saved |= fields
        if fate == "done":
            snapshots.saved()
            unsaved.clear()
        late = None
        if saved:
            decode_state(saved)
    saved |= snapshots.encode(state, unsaved)
    assert saved == Snapshots().encode(state, ())


def test_a_tier_and_a_board_that_a_refused_save_brought_are_brought_again() -> None:
    before = [block([vote("x", "y", tstamp=float(at))], first=at, recorded=at * 1_000) for at in (1, 200)]
    state, snapshots = folded(before), Snapshots()
    saved = snapshots.encode(state, ())
    snapshots.saved()
    later = block([vote("x", "y", language="en", tstamp=301.0)], first=301, recorded=301_000)
    unsaved = set(fold(state, later, LIMITS, interpreted).changed)
    refused = snapshots.encode(state, unsaved)
    assert history_field("minute") in refused
    assert snapshots.encode(state, unsaved).keys() == refused.keys()
    assert everything(decode_state(saved | snapshots.encode(state, unsaved))) == everything(state)


def test_only_what_changed_is_written() -> None:
    state, snapshots = folded([block([vote("x", "y", language="en")])]), Snapshots()
    tiers = {history_field(tier.name) for tier in TIERS}
    assert snapshots.encode(state, ()).keys() == {META, board_field("overall"), board_field("language:en")} | tiers
    snapshots.saved()
    changed = fold(state, block([vote("x", "y")], first=1), LIMITS, interpreted).changed
    assert snapshots.encode(state, changed).keys() == {META, board_field("overall")}
    snapshots.saved()
    assert snapshots.encode(state, ()).keys() == {META}


def test_a_state_of_nothing_is_a_state() -> None:
    state = ArenaState("text", position=7)
    assert everything(decode_state(Snapshots().encode(state, ()))) == everything(state)


def test_large_counts_and_many_models_are_kept() -> None:
    state = folded([block([vote(f"m{at}", f"m{at + 1}") for at in range(40)])])
    board = state.boards["overall"]
    dense = shown(board)
    for exponent in range(41):
        dense[exponent % 5, exponent, 40 - exponent] = 2**exponent - 1
    dense[0, 0, 1] = 2**62
    set_shown(board, dense)
    board.elo[:] = np.nextafter(1000.0, np.arange(41.0))
    assert everything(decode_state(Snapshots().encode(state, ()))) == everything(state)


def test_a_snapshot_is_small() -> None:
    random = np.random.default_rng(3)
    pairs = [random.choice(200, 2, replace=False) for _ in range(2_000)]
    state = folded([block([vote(f"m{a}", f"m{b}") for a, b in pairs])])
    saved = Snapshots().encode(state, ())
    assert len(saved[board_field("overall")]) < 5 * 2_000 + 13 * 200


def test_a_restored_state_publishes_the_same_board() -> None:
    state = folded([block([vote("x", "y"), vote("y", "z", "tie"), vote("z", "x")]), notice("x", 0)])
    restored = decode_state(Snapshots().encode(state, ()))
    assert make_board(restored, "overall") == make_board(state, "overall")
