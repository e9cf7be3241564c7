"""How far behind an arena is: by its own boards, not by those of its neighbours."""

from services.board.kafka_follower import REMEMBERED, FoldLag
from streams.contracts.partitioner import partitions_of
from streams.contracts.shown import Shown


def test_a_slow_arena_keeps_nobody_else_behind() -> None:
    lag = FoldLag()
    for now in range(0, 60, 10):
        lag.look(float(now), {0: 100 + now}, {0: Shown(100 + now, {"slow": 90})})
    assert lag.of("quick", 50.0) == 0.0
    assert lag.of("slow", 50.0) == 50.0
    lag.look(60.0, {0: 160}, {0: Shown(160, {"slow": 125})})
    assert lag.of("slow", 60.0) == 60.0 - 30.0  # at 30 s the partition had ended beyond 125
    lag.look(70.0, {0: 160}, {0: Shown(160)})
    assert lag.of("slow", 70.0) == 0.0


def test_a_partition_that_nobody_folds_keeps_all_of_its_arenas_behind_and_no_other() -> None:
    names = [f"arena-{number}" for number in range(20)]
    places = dict(zip(names, partitions_of([name.encode() for name in names], 2), strict=True))
    assert set(places.values()) == {0, 1}
    lag = FoldLag()
    lag.look(0.0, {0: 10, 1: 10}, {0: Shown(10), 1: Shown(10)})
    lag.look(1.0, {0: 20, 1: 20}, {0: Shown(20), 1: Shown(10)})
    lag.look(9.0, {0: 30, 1: 30}, {0: Shown(30), 1: Shown(10)})
    assert {name: lag.of(name, 9.0) for name in names} == {name: 8.0 * place for name, place in places.items()}


def test_a_redis_that_says_nothing_shows_nothing() -> None:
    lag = FoldLag()
    lag.look(0.0, {0: 10}, {})
    lag.look(5.0, {0: 10}, {})
    assert lag.of("text", 5.0) == 5.0


def test_what_is_remembered_is_bounded_and_since_when_stays_known() -> None:
    lag = FoldLag()
    for now in range(3 * REMEMBERED):
        lag.look(float(now), {0: 1 + now}, {0: Shown(0)})
    assert lag.of("text", 3.0 * REMEMBERED) == 3.0 * REMEMBERED
    assert len(lag.looks[0][0]) <= REMEMBERED
