"""Where only the ledger says how far intake came: how it is searched, and held against the log."""

import logging
from collections import namedtuple
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import UnsupportedCodecError

import streams.intake.proof
import streams.intake.take_over
from streams.contracts.metrics import Metrics
from streams.contracts.setting_groups import IntakeSettings, KafkaSettings
from streams.contracts.settings import Settings
from streams.contracts.vote import Vote
from streams.intake.begin import AnotherLog, RecordsGone
from streams.intake.proof import WINDOW, Proof
from streams.intake.take_over import PROOF_MARGIN, positions_of
from streams.kafka.fetch import Rebalanced
from streams.kafka.unreadable import UnreadableBatch
from streams.ledger.codec import Block, Notice, encode_block, encode_notice
from streams.ledger.rows import rows_of
from tests.unit.intake.making import fields

VOTES, MODELS = TopicPartition("votes", 0), TopicPartition("models", 0)
LEDGER, LEDGER_1 = TopicPartition("ledger", 0), TopicPartition("ledger", 1)
SETTINGS = Settings(kafka=KafkaSettings(topic_prefix=""), intake=IntakeSettings(fetch_records=10))
MARGIN = PROOF_MARGIN * SETTINGS.intake.fetch_records
BORN = 1_700_000_000_000

Stored = namedtuple("Stored", "offset timestamp value", defaults=[b""])


def log_of(offsets, born=BORN):
    """Records at these offsets, one a second."""
    return [Stored(offset, born + offset * 1_000) for offset in offsets]


class Reader:
    """A stand-in for a consumer outside any group, and for the member of a `Log`."""

    def __init__(self, topics, first=None):
        self.topics, self.first = topics, first or {}
        self.looked = []
        self._client = SimpleNamespace(fetch_all_metadata=self._metadata)
        self._subscription = SimpleNamespace(reassignment_in_progress=False)

    async def start(self):
        pass

    stop = start

    async def _metadata(self):
        topics = self.topics
        return SimpleNamespace(partitions_for_topic=lambda name: {at.partition for at in topics if at.topic == name})

    async def beginning_offsets(self, partitions):
        return {at: self.first.get(at, 0) for at in partitions}

    async def end_offsets(self, partitions):
        return {at: self.topics[at][-1].offset + 1 if self.topics[at] else 0 for at in partitions}

    def assign(self, partitions):
        pass

    def seek(self, at, offset):
        self.at, self.offset = at, offset

    async def position(self, at):
        return self.offset

    async def getmany(self, at, timeout_ms, max_records):
        found = [record for record in self.topics[at] if record.offset >= self.offset][:max_records]
        self.looked.append((at, self.offset, found[-1].offset + 1))
        self.offset = found[-1].offset + 1
        return {at: found}


class Follows:
    """A stand-in for `Log`."""

    def __init__(self, consumer, commits=None):
        self.consumer, self._commits = consumer, commits or {}
        self.reached, self.unreadable, self.fetched = {}, [], []

    async def commits(self, partitions):
        return self._commits

    async def ends(self, partitions):
        return await self.consumer.end_offsets(partitions)

    def seek(self, at, offset):
        self.reached[at] = offset

    def give_way(self):
        if self.consumer._subscription.reassignment_in_progress:
            raise Rebalanced

    async def fetch(self, at, timeout_ms, max_records):
        found = [record for record in self.consumer.topics[at] if record.offset >= self.reached[at]][:max_records]
        self.reached[at] = found[-1].offset + 1
        self.fetched += [record.offset for record in found]
        return {at: found} if found else {}


def block(offsets, through=None, arena="text", born=BORN, partition=0):
    n = len(offsets)
    places = np.array(offsets, np.int64)
    rows = rows_of(
        [msgspec.convert(fields(), Vote)] * n, np.full(n, partition, np.int32), places, born + places * 1_000
    )
    return Block(arena, rows, {partition: offsets[-1] if through is None else through})


def notice(offset, born=BORN):
    return Notice("text", "x", None, 0, offset, born + offset * 1_000)


def ledger_of(*records):
    values = [encode_notice(each) if isinstance(each, Notice) else encode_block(each)[0] for each in records]
    return [Stored(offset, BORN, value) for offset, value in enumerate(values)]


async def none_accepted(*_):
    return {}


async def begins(votes, *ledger, commits=None, first=0, models=(), metrics=None):
    """Where intake begins in votes/0 and models/0, and the log that was asked."""
    topics = {VOTES: votes, MODELS: list(models), LEDGER: ledger_of(*ledger)}
    log = Follows(Reader(topics, {VOTES: first}), commits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams.intake.proof, "make_reader", lambda *_: Reader(topics))
        patch.setattr(streams.intake.take_over, "_accepted", none_accepted)
        found = await positions_of(log, [VOTES, MODELS], SETTINGS, metrics or Metrics(), Proof(), lambda: None)
    return found, log


async def test_a_log_of_which_nothing_is_in_the_ledger_is_read_from_its_start():
    found, _ = await begins(log_of(range(5)))
    assert found == {VOTES: 0, MODELS: 0}


async def test_where_the_commit_is_ours_nothing_is_searched_or_compared():
    ours = {VOTES: (400, True), MODELS: (0, True)}
    found, log = await begins(log_of(range(500), born=7), block([399]), commits=ours)
    assert found[VOTES] == 400
    assert log.fetched == []


async def test_a_commit_that_intake_did_not_write_is_told_when_it_passes_over_records(caplog):
    ahead = "votes/0: intake did not write the group's commit at 450 and ignores it; it continues from 370"
    await begins(log_of(range(500)), block([399]), commits={VOTES: (450, False)})
    assert ahead in caplog.text
    caplog.clear()
    await begins(log_of(range(500)), block([399]), commits={VOTES: (400, False)})
    await begins(log_of(range(500)), block([399]), commits={VOTES: (450, True)})
    assert "did not write" not in caplog.text


# --- a topic that was created again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("commit", [None, 0, 450, 700])
async def test_a_log_made_anew_is_another_one_also_when_it_is_longer(commit):
    commits = {} if commit is None else {VOTES: (commit, False)}
    with pytest.raises(AnotherLog, match="votes/0 holds another record at offset 499"):
        await begins(log_of(range(700), born=BORN + 10**8), block([400, 499]), commits=commits)


async def test_a_log_restored_from_an_older_state_and_written_on_is_another_one():
    older = log_of(range(300)) + log_of(range(300, 700), born=BORN + 10**8)
    with pytest.raises(AnotherLog):
        await begins(older, block([100, 299]), block([300, 499]))


async def test_the_log_that_was_read_is_gone_on_with():
    found, _ = await begins(log_of(range(700)), block([400, 499]))
    assert found[VOTES] == 500 - MARGIN


async def test_a_record_that_is_not_in_the_log_any_more_is_not_compared_but_another_one_is():
    holes = [offset for offset in range(700) if offset != 499]
    found, _ = await begins(log_of(holes), block([400, 498]), block([499]))
    assert found[VOTES] <= 500 - MARGIN
    with pytest.raises(AnotherLog, match="offset 498"):
        await begins(log_of(holes, born=7), block([400, 498]), block([499]))


async def test_a_record_is_looked_for_also_far_from_the_end_of_what_was_read():
    votes = log_of(range(700))
    found, log = await begins(votes, block([300], through=499))  # all behind it was refused, or sent twice
    assert found[VOTES] <= 300
    assert 300 in log.fetched
    with pytest.raises(AnotherLog, match="offset 300"):
        await begins(log_of(range(700), born=7), block([300], through=499))


async def test_what_cannot_be_compared_is_told_and_goes_by_length(caplog):
    with caplog.at_level(logging.WARNING):
        found, _ = await begins(log_of(range(500, 700)), block([400, 499]), first=500)
    assert found[VOTES] == 500
    assert "votes/0 no longer has a record to which the end of the ledger refers" in caplog.text


async def test_models_made_anew_are_another_log():
    mine = [notice(3), block([499])]
    with pytest.raises(AnotherLog, match="models/0 ends at 2"):
        await begins(log_of(range(700)), *mine, models=log_of(range(2), born=7))
    with pytest.raises(AnotherLog, match="models/0 holds another record at offset 3"):
        await begins(log_of(range(700)), *mine, models=log_of(range(9), born=7))


async def test_models_are_read_from_their_start_and_what_was_compacted_is_no_other_log():
    found, _ = await begins(log_of(range(700)), notice(2), notice(3), block([499]), models=log_of([0, 2, 5]))
    assert found[MODELS] == 0


# --- the margin ------------------------------------------------------------------------------------------------------


async def test_the_margin_is_of_records_and_not_of_offsets():
    # Of ten offsets nine are of transactions that were aborted.
    found, _ = await begins(log_of(range(0, 7_000, 10)), block([3_990], arena="text"))
    records = [offset for offset in range(0, 7_000, 10) if found[VOTES] <= offset <= 3_990]
    assert len(records) >= MARGIN


async def test_the_margin_ends_where_the_log_begins():
    found, _ = await begins(log_of(range(0, 700, 100)), block([600]))
    assert found[VOTES] == 0


async def test_a_gap_is_told_by_the_end_of_what_was_read_and_not_by_the_margin():
    found, _ = await begins(log_of(range(480, 700)), block([499]), first=480)
    assert found[VOTES] == 480
    with pytest.raises(RecordsGone) as stopped:
        await begins(log_of(range(520, 700)), block([499]), first=520)
    assert stopped.value.missing == 20


async def test_the_gauge_of_missing_records_is_set_and_is_zero_where_none_are_missing():
    metrics = Metrics()

    def gap():
        return metrics.registry.get_sample_value("isonomy_intake_records_gone", {"topic": "votes", "partition": "0"})

    with pytest.raises(RecordsGone):
        await begins(log_of(range(520, 700)), block([499]), first=520, metrics=metrics)
    assert gap() == 20
    await begins(log_of(range(480, 700)), block([499]), first=480, metrics=metrics)
    assert gap() == 0


# --- the search ------------------------------------------------------------------------------------------------------


def blocks(count, first=0):
    """So many blocks of one vote each."""
    return [block([first + number]) for number in range(count)]


async def search(proof, ledgers, places, step=lambda: None):
    """What a search finds, and which ledger records it read: by partition, the number of each."""
    reader = Reader({at: ledger_of(*records) for at, records in ledgers.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams.intake.proof, "make_reader", lambda *_: reader)
        try:
            return await proof.search(SETTINGS.kafka, places, step), reader
        finally:
            reader.seen = {at: sum(end - start for where, start, end in reader.looked if where == at) for at in ledgers}


async def test_the_ledger_is_read_back_no_further_than_needed():
    found, reader = await search(Proof(), {LEDGER: blocks(3 * WINDOW)}, ["votes/0"])
    assert found["votes/0"].end == 3 * WINDOW
    assert reader.seen == {LEDGER: WINDOW}


async def test_a_partition_that_the_ledger_does_not_name_is_left_out():
    found, reader = await search(Proof(), {LEDGER: blocks(WINDOW + 1)}, ["votes/0", "votes/1"])
    assert set(found) == {"votes/0"}
    assert reader.seen == {LEDGER: WINDOW + 1}


async def test_a_ledger_partition_without_notices_is_read_back_no_further_than_to_the_last_notice_of_another():
    ledgers = {LEDGER: blocks(4 * WINDOW), LEDGER_1: [*blocks(9), notice(2 * WINDOW + 9)]}
    found, reader = await search(Proof(), ledgers, ["votes/0", "models/0"])
    assert found["models/0"].end == 2 * WINDOW + 10
    assert found["votes/0"].end == 4 * WINDOW
    assert reader.seen[LEDGER] == 2 * WINDOW, "up to the time of the notice, and no further"


async def test_the_highest_place_counts_whichever_ledger_partition_has_it():
    ledgers = {LEDGER: blocks(5), LEDGER_1: blocks(5, first=40)}
    found, _ = await search(Proof(), ledgers, ["votes/0"])
    assert found["votes/0"].end == 45


class WithFault(Reader):
    """A reader of a ledger of which some batches cannot be read: who fetches from before into one gets nothing."""

    def __init__(self, topics, faults):
        super().__init__(topics)
        self.faults = faults

    async def getmany(self, at, timeout_ms, max_records):
        found = [record.offset for record in self.topics[at] if record.offset >= self.offset][:max_records]
        if set(found) & self.faults:
            self.offset = found[-1] + 1
            raise UnsupportedCodecError("no library")
        return await super().getmany(at, timeout_ms, max_records)


@pytest.mark.parametrize("faults", [{0}, {20}, {20, 21, 22}, {WINDOW - 1}, {3, 40}])
async def test_a_ledger_batch_that_cannot_be_read_proves_nothing_and_stops_nothing(faults, monkeypatch, caplog):
    reader = WithFault({LEDGER: ledger_of(*blocks(WINDOW))}, faults)

    async def look(consumer, at, place):
        found = min((fault for fault in faults if fault >= place), default=None)
        return None if found is None else UnreadableBatch(at, found, found, b"", "no library")

    monkeypatch.setattr(streams.intake.proof, "make_reader", lambda *_: reader)
    monkeypatch.setattr(streams.intake.proof, "look", look)
    found = await Proof().search(SETTINGS.kafka, ["votes/0"], lambda: None)
    assert found["votes/0"].end == WINDOW - (WINDOW - 1 in faults)
    assert caplog.text.count("proves nothing") == len(faults)


def after(steps):
    """A step that is cut off after a number of records, as by a rebalance."""
    left = iter(range(steps))

    def step():
        if next(left, None) is None:
            raise Rebalanced

    return step


async def test_a_search_that_is_cut_off_goes_on_where_it_was():
    proof, ledgers = Proof(), {LEDGER: [notice(7), *blocks(4 * WINDOW - 1)]}
    for _ in range(2):  # one that begins anew each time would not come further than this
        with pytest.raises(Rebalanced):
            await search(proof, ledgers, ["votes/0", "models/0"], after(1))
    grown = {LEDGER: [*ledgers[LEDGER], *blocks(3, first=9 * WINDOW)]}
    found, reader = await search(proof, grown, ["votes/0", "models/0"])
    assert found["models/0"].end == 8
    assert found["votes/0"].end == 9 * WINDOW + 3, "what was written meanwhile counts"
    assert reader.seen[LEDGER] < 4 * WINDOW


async def test_a_take_over_gives_way_to_a_rebalance():
    topics = {VOTES: log_of(range(700)), MODELS: [], LEDGER: ledger_of(*blocks(3 * WINDOW))}
    log, proof = Follows(Reader(topics)), Proof()
    log.consumer._subscription.reassignment_in_progress = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams.intake.proof, "make_reader", lambda *_: Reader(topics))
        with pytest.raises(Rebalanced):
            await positions_of(log, [VOTES, MODELS], SETTINGS, Metrics(), proof, lambda: None)
