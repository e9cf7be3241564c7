"""The checker of the chaos suite finds each way to break a promise, and nothing in a run that keeps them all."""

from collections import Counter
from typing import Any

import numpy as np

from streams.ledger.codec import Block
from streams.ledger.rows import Rows
from tests.crash.checker import (
    Heights,
    Regresses,
    count_ids,
    judge_alerts,
    judge_deliveries,
    judge_heights,
    judge_votes,
    sum_up_regresses,
)

IDS = {0: {0: "a", 1: "b", 2: "c"}, 1: {0: "d", 1: "a"}}
FIRING, RESOLVED = ("x", "firing"), ("x", "resolved")


def block(*places: tuple[int, int], through: dict[int, int], arena: str = "text") -> Block:
    """A block whose rows come from these partitions and offsets."""
    n = len(places)
    zeros = np.zeros(n, np.int32)
    partition, offset = np.array(places).reshape(n, 2).T
    rows = Rows(
        models=["ash", "birch"],
        model_a=zeros,
        model_b=zeros + 1,
        winner=np.zeros(n, np.uint8),
        tstamp=np.zeros(n),
        partition=partition.astype(np.int32),
        offset=offset.astype(np.int64),
        recorded=np.zeros(n, np.int64),
        languages=[""],
        language=None,
        category_sets=[()],
        categories=None,
        voters=[""],
        voter=None,
        prompts=[""],
        prompt=None,
        battles=[""],
        battle=None,
        p_pair=None,
        drawn_at=None,
        style=None,
    )
    return Block(arena, rows, through)


def promises(findings: list[Any]) -> list[str]:
    return [finding.promise for finding in findings]


# --- votes ------------------------------------------------------------------------------------------------------------


def test_every_row_counts_once() -> None:
    blocks = [block((0, 0), (0, 1), through={0: 1}), block((0, 2), (1, 0), through={0: 2, 1: 1})]
    assert count_ids(blocks, IDS) == Counter("abcd")


def test_a_block_written_again_after_a_crash_counts_nothing() -> None:
    once = block((0, 0), (0, 1), through={0: 1})
    assert count_ids([once, once, block((0, 1), (0, 2), through={0: 2})], IDS) == Counter("abc")


def test_the_watermark_is_of_one_arena() -> None:
    blocks = [block((0, 1), through={0: 1}), block((0, 0), through={0: 1}, arena="code")]
    assert count_ids(blocks, IDS) == Counter("ab")


def test_a_vote_that_stands_in_two_partitions_of_the_ledgers_rows_is_found() -> None:
    counted = count_ids([block((0, 0), (1, 1), through={0: 0, 1: 1})], IDS)
    assert promises(judge_votes(counted, sent={"a"}, acknowledged={"a"})) == ["a vote is counted more than once"]


def test_a_gap_below_the_watermark_loses_votes() -> None:
    counted = count_ids([block((0, 2), through={0: 2}), block((0, 1), through={0: 1})], IDS)
    assert promises(judge_votes(counted, sent=set("bc"), acknowledged=set("bc"))) == ["an acknowledged vote is lost"]


def test_what_was_not_acknowledged_may_be_counted_or_not() -> None:
    assert judge_votes(Counter("ab"), sent=set("abc"), acknowledged={"a"}) == []


def test_aborted_and_unknown_votes_must_not_count() -> None:
    findings = judge_votes(Counter("abz"), sent={"a"}, acknowledged={"a"}, aborted={"b"})
    assert promises(findings) == ["a vote of an aborted transaction is counted", "a vote is counted that nobody sent"]


# --- boards -----------------------------------------------------------------------------------------------------------


def test_boards_that_only_grow_are_well() -> None:
    heights = Heights()
    for at, votes in enumerate([0, 5, 5, 9]):
        heights.see("text/overall", "votes", votes, at)
    heights.see("code/overall", "votes", 1, 4)
    assert judge_heights(heights) == []


def test_a_board_that_falls_is_one_regress_until_it_is_back() -> None:
    heights = Heights()
    for at, votes in enumerate([9, 4, 3, 8, 9]):
        heights.see("text/overall", "votes", votes, at, "kill_folds")
    heights.see("text/overall", "votes", 2, 5)
    first, second = heights.regresses
    assert (first.before, first.after, first.at, first.until, first.during) == (9, 3, 1, 4, "kill_folds")
    assert (second.before, second.after, second.until) == (9, 2, None)
    (finding,) = judge_heights(heights)
    assert finding.count == 2
    assert "9 → 3" in "".join(finding.examples)
    assert sum_up_regresses(heights) == [Regresses("", "votes", 1, 7, None), Regresses("kill_folds", "votes", 1, 6, 3)]


# --- alerts and deliveries --------------------------------------------------------------------------------------------


def test_repeats_of_alerts_are_no_difference() -> None:
    assert judge_alerts("text", [FIRING, FIRING, RESOLVED, FIRING], [FIRING, RESOLVED]) == []


def test_missing_foreign_and_disordered_alerts_are_found() -> None:
    other = ("y", "firing")
    assert promises(judge_alerts("text", [FIRING], [FIRING, other])) == ["an alert of text was not told"]
    assert promises(judge_alerts("text", [FIRING, other], [FIRING])) == [
        "an alert of text was told that the replay does not tell"
    ]
    assert promises(judge_alerts("text", [other, FIRING], [FIRING, other])) == [
        "alerts of text were told in another order"
    ]


def test_deliveries_may_repeat_but_not_lack_or_overtake() -> None:
    assert judge_deliveries([FIRING, RESOLVED], [FIRING, FIRING, RESOLVED, RESOLVED]) == []
    assert promises(judge_deliveries([FIRING, RESOLVED], [FIRING])) == ["an alert was not delivered"]
    assert promises(judge_deliveries([FIRING, RESOLVED], [RESOLVED, FIRING])) == [
        "an alert's end was delivered before its beginning"
    ]
