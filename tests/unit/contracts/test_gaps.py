"""Gaps between records, as the embedded broker leaves them for a moment."""

from types import SimpleNamespace

import pytest

from streams.contracts.gaps import LONGEST_SECONDS, Gaps


def records(*offsets: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def test_records_that_follow_one_another_are_whole() -> None:
    gaps = Gaps()
    assert gaps.whole("p", records(5), 5, 0.0) == 1
    assert gaps.whole("p", records(6, 7, 8), 6, 0.0) == 3


def test_what_is_behind_a_gap_waits_until_it_is_closed() -> None:
    gaps = Gaps()
    assert gaps.whole("p", records(5, 6, 8, 9), 5, 0.0) == 2
    assert gaps.whole("p", records(8, 9), 7, 0.1) == 0
    assert gaps.whole("p", records(7, 8, 9), 7, 0.2) == 3
    assert gaps.whole("p", records(10, 12, 14), 10, 9.0) == 1, "another gap begins anew"
    assert gaps.whole("p", records(12, 14), 11, 9.0 + LONGEST_SECONDS - 0.1) == 0


def test_a_gap_that_stays_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    gaps = Gaps()
    assert gaps.whole("p", records(8), 7, 0.0) == 0
    assert gaps.whole("q", records(8), 7, 1.0) == 0, "each partition for itself"
    assert gaps.whole("p", records(8, 9), 7, LONGEST_SECONDS) == 0, "it was fetched before the time was over"
    assert caplog.text == ""
    assert gaps.whole("p", records(8, 9), 7, LONGEST_SECONDS) == 2
    assert "p has no record at offset 7" in caplog.text
    assert gaps.whole("p", records(10), 10, LONGEST_SECONDS) == 1


def test_a_gap_behind_one_that_stays_has_its_own_time(caplog: pytest.LogCaptureFixture) -> None:
    gaps = Gaps()
    gaps.whole("p", records(8), 7, 0.0)
    gaps.whole("p", records(8), 7, LONGEST_SECONDS)
    assert gaps.whole("p", records(8, 9, 11, 12), 7, LONGEST_SECONDS) == 2
    assert "offset 7:" in caplog.text
    assert "offset 10:" not in caplog.text
    assert gaps.whole("p", records(10, 11, 12), 10, LONGEST_SECONDS) == 3


class Consumer:
    """What `leave_out` touches of a consumer."""

    def __init__(self, *versions: int) -> None:
        self._client = SimpleNamespace(_conns={0: SimpleNamespace(_versions=dict.fromkeys(versions))})
        self.stands: dict[str, int] = {}

    def seek(self, at: str, offset: int) -> None:
        self.stands[at] = offset


TANSU, KAFKA, OLD = (0, 1, 75), (0, 1, 23, 75), (0, 1)


async def test_a_consumer_stands_at_the_gap_of_each_partition() -> None:
    consumer, gaps = Consumer(*TANSU), Gaps()
    batch = {"p": records(5, 6, 8), "q": records(4), "r": records(1, 2)}
    whole = await gaps.leave_out(consumer, batch, {"p": 5, "q": 3, "r": 1})
    assert {at: [each.offset for each in found] for at, found in whole.items()} == {"p": [5, 6], "r": [1, 2]}
    assert consumer.stands == {"p": 7, "q": 3}


@pytest.mark.parametrize("versions", [KAFKA, OLD])
async def test_gaps_of_other_brokers_mean_nothing(versions: tuple[int, int, int, int] | tuple[int, int]) -> None:
    consumer = Consumer(*versions)
    batch = {"p": records(5, 6, 8)}
    assert await Gaps().leave_out(consumer, batch, {"p": 4}) == batch
    assert consumer.stands == {}
