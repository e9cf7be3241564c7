"""The account of what was sent is put together from offsets alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.cli.account import outcome

fates = st.lists(st.sampled_from(["counted", "duplicate", "same_model", "not_anonymous"]), max_size=30)


@settings(deadline=None)
@given(st.lists(fates, min_size=1, max_size=3), st.integers(0, 40), st.data())
def test_each_vote_is_counted_refused_a_duplicate_or_waits(
    partitions: list[list[str]], taken: int, data: st.DataObject
) -> None:
    """Other senders' votes are among ours, and rows and dead letters are repeated after a crash."""
    written: dict[int, list[range]] = {}
    counted: dict[int, NDArray[np.int64]] = {}
    refused: dict[tuple[int, int], str] = {}
    expected = {"waiting": 0}
    for number, of_partition in enumerate(partitions):
        mine = [data.draw(st.booleans()) for _ in of_partition]
        written[number] = [range(at, at + 1) for at, ours in enumerate(mine) if ours]
        rows = [at for at, fate in enumerate(of_partition) if fate == "counted" and at < taken]
        counted[number] = np.array(rows * 2, np.int64)
        for at, (fate, ours) in enumerate(zip(of_partition, mine, strict=True)):
            if at < taken and fate not in ("counted", "duplicate"):
                refused[number, at] = fate
            if ours:
                fate = fate if at < taken else "waiting"
                expected[fate] = expected.get(fate, 0) + 1
    found = outcome(written, dict.fromkeys(written, taken), counted, refused)
    assert found.sent == sum(expected.values())
    assert (found.counted, found.duplicates, found.waiting) == (
        expected.pop("counted", 0),
        expected.pop("duplicate", 0),
        expected.pop("waiting"),
    )
    assert found.refused == expected


def test_what_no_group_has_committed_waits() -> None:
    found = outcome({0: [range(5)]}, {}, {}, {})
    assert (found.sent, found.waiting, found.duplicates) == (5, 5, 0)
