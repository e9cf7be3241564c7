"""The boundaries of the herald's rules, each from both sides: one step further in any of them fails here."""

import asyncio
import json
import math
from typing import Any

import msgspec
import pytest

from services.herald.rules.backoff import Backoff, read_retry_after
from services.herald.rules.consent import confirmation_message
from services.herald.rules.dedup import Known, News
from services.herald.rules.deliveries import owe_firing
from services.herald.rules.delivery_state import Book, progress
from services.herald.rules.grouping import Gathering
from services.herald.rules.notify import Notifier
from services.herald.rules.outcome import forgettable
from services.herald.rules.payload import alertmanager_body, text_message, timestamp
from services.herald.rules.retry_queue import RetryQueue
from services.herald.rules.unknown import Shown, warnings
from services.herald.send_queues import Limits
from streams.contracts.alert import Alert, Kind, Severity, Status
from streams.contracts.delivery import Asked, Delivery, Replay, State
from streams.contracts.settings import InvalidSetting
from streams.contracts.subscription import Match
from tests.support.herald import make_alert, make_subscription
from tests.unit.herald.making import make_pending

DAY = 86_400.0
S = make_subscription("s", "https://hooks.example.com/")
BOARD = "https://board.example.com"


def pending(number: int = 1, **more: Any) -> Delivery:
    return msgspec.structs.replace(make_pending(S), id=f"d{number}", **more)


def book_of(*deliveries: Delivery | None) -> Book:
    book = Book()
    book.take_subscription("s", S)
    for offset, delivery in enumerate(deliveries):
        book.take(delivery.id, delivery, offset)
    return book


# --- what is owed, and what is news ----------------------------------------------------------------------------------


@pytest.mark.parametrize("known", Severity)
@pytest.mark.parametrize("told", Severity)
def test_firing_is_owed_unless_this_severity_or_a_worse_one_is_on_record(known: Severity, told: Severity) -> None:
    order = [Severity.INFO, Severity.WARNING, Severity.CRITICAL]
    before = owe_firing(book_of(), {}, S, make_alert(severity=known), 1.0)
    owed = owe_firing(book_of(before), {}, S, make_alert(severity=told), 2.0)
    assert (owed is not None) is (order.index(told) > order.index(known))


def silence(number: int, status: Status = Status.RESOLVED) -> Alert:
    """A stall of the feed: for its kind only the memory of what is over tells a repeat apart."""
    return msgspec.structs.replace(make_alert(1, status, onset=str(number)), kind=Kind.FEED_STALLED)


def test_sixteen_occurrences_of_a_fingerprint_are_remembered_to_be_over() -> None:
    known = Known()
    for number in range(16):
        known.tell(silence(number))
    assert known.tell(silence(0)) is News.STALE
    known.tell(silence(16))
    assert known.tell(silence(1)) is News.STALE
    assert known.tell(silence(0, Status.FIRING)) is News.NEW, "the seventeenth pushed it out"


def test_an_occurrence_that_was_detected_at_the_same_time_is_news() -> None:
    known = Known()
    known.tell(make_alert(onset="1", detected_at=1e9))
    assert known.tell(make_alert(onset="2", detected_at=1e9)) is News.NEW
    assert known.tell(make_alert(onset="3", detected_at=1e9 - 1)) is News.STALE


def test_at_a_take_over_what_was_written_in_the_first_moment_that_counts_is_owed() -> None:
    for since, began, owed in ((50.0, 50.0, 1), (50.5, 50.0, 0), (50.0, 50.5, 0)):
        book = Book()
        book.take_subscription("s", msgspec.structs.replace(S, since=began))
        notifier = Notifier(book, Gathering(1.0, 50))
        notifier.alert(make_alert(), at=50.0, mono=0.0, since=since)
        assert len(notifier.gathering.by_id) == owed


# --- the state of a delivery -----------------------------------------------------------------------------------------


def test_a_delivery_goes_from_waiting_over_pending_to_given_up_and_delivered() -> None:
    found = [progress(pending(state=state)) for state in (State.WAITING, State.PENDING, State.DEAD, State.DELIVERED)]
    assert found == sorted(set(found))
    assert progress(pending(state=State.SKIPPED)) == progress(pending(state=State.DEAD))
    assert progress(pending(round=1, state=State.WAITING)) > progress(pending(state=State.DELIVERED, attempt=9))
    assert progress(pending(attempt=1)) > progress(pending())


def test_a_record_that_goes_back_is_named_only_behind_the_one_that_counts() -> None:
    done = pending(state=State.DELIVERED)
    book = Book()
    book.take(done.id, done, 5)
    assert [book.take(done.id, pending(by="late"), offset) for offset in (4, 5, 6)] == [False, False, True]
    assert book.at == {done.id: 5}


def test_of_two_heralds_that_are_as_far_the_first_message_counts() -> None:
    book = Book()
    book.take("d1", pending(message="first", by="a"), 0)
    assert book.take("d1", pending(message="second", by="b"), 1)
    assert not book.take("d1", pending(message="first", by="b"), 2)
    assert not book.take("d1", pending(message="third", by="b"), 3)
    assert book.deliveries["d1"].message == "third"


def test_a_replay_is_obeyed_until_the_delivery_has_its_round() -> None:
    dead = pending(state=State.DEAD, round=1)
    for wanted, obeyed in ((1, []), (2, [dead])):
        book = book_of(dead)
        book.take("replay/d1", Replay(delivery="d1", round=wanted, at=1.0), 9)
        assert book.asked_again() == obeyed


def test_what_is_settled_is_forgotten_after_its_time_and_not_at_it() -> None:
    for at, gone in ((100.0, []), (99.5, ["d1"])):
        for more in ({"changed_at": at, "created_at": 0.0}, {"changed_at": 0.0, "created_at": at}):
            book = book_of(pending(state=State.DELIVERED, **more))
            assert forgettable(book, Known(), 100.0 + 30 * DAY, 30 * DAY, 10) == gone


def test_questions_are_forgotten_after_a_day_and_not_at_it() -> None:
    book = Book()
    for name, at in (("old", 99.5), ("day", 100.0)):
        book.take(f"asked/{name}", Asked(id=name, mailbox="m", owner="o", at=at), 0)
    assert forgettable(book, Known(), 100.0 + DAY, 30 * DAY, 10) == ["asked/old"]


def test_no_more_keys_are_forgotten_at_once_than_may_be() -> None:
    book = book_of(*(pending(number, state=State.DELIVERED) for number in range(3)))
    assert len(forgettable(book, Known(), 100 * DAY, DAY, 2)) == 2
    assert len(forgettable(book, Known(), 100 * DAY, DAY, 3)) == 3


# --- when ------------------------------------------------------------------------------------------------------------


def test_jitter_goes_up_to_a_fifth() -> None:
    waits = [Backoff((100.0,)).wait(f"msg_{number}", 1) for number in range(2_000)]
    assert 100.0 <= min(waits) < 100.5
    assert 119.5 < max(waits) <= 120.0


def test_waits_are_up_to_thirty_days() -> None:
    assert Backoff.read("0,2592000").waits == (0.0, 2_592_000.0)
    for text in ("2592001", "-0.5"):
        with pytest.raises(InvalidSetting):
            Backoff.read(text)


def test_a_retry_after_of_more_than_nine_digits_says_nothing() -> None:
    assert read_retry_after("9" * 9, 0.0) == 999_999_999.0
    assert read_retry_after("1" * 10, 0.0) is None


def test_a_message_is_handed_out_at_its_time() -> None:
    queue = RetryQueue()
    assert queue.next_due() == math.inf
    queue.put([pending(message="m", next_at=10.0)])
    assert queue.next_due() == 10.0
    assert queue.due(9.5) == []
    assert queue.due(10.0) == [("s", "m")]
    assert queue.next_due() == math.inf


def test_a_group_says_when_it_closes() -> None:
    gathering = Gathering(2.0, 50)
    assert gathering.next_close() == math.inf
    gathering.add(pending(), 10.0)
    gathering.add(pending(2), 11.0)
    assert gathering.next_close() == 12.0


@pytest.mark.parametrize(("total", "doubtful"), [(1, 1), (4, 1), (7, 1), (8, 2), (15, 3), (16, 4)])
async def test_of_all_places_a_quarter_is_for_endpoints_that_did_not_answer(total: int, doubtful: int) -> None:
    limits = Limits(total, per_host=1_000)

    async def hold(number: int, silent: bool) -> None:
        async with limits.slot(f"key {number}", f"host {number}", doubtful=silent):
            await asyncio.Event().wait()

    for silent, places in ((True, doubtful), (False, total - total // 4)):
        tasks = [asyncio.create_task(hold(number, silent)) for number in range(total + 1)]
        for _ in range(50):
            await asyncio.sleep(0)
        assert limits.under_way == places
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


# --- what is said ----------------------------------------------------------------------------------------------------


def test_a_beginning_in_the_future_of_our_clock_is_a_second_ago_for_alertmanager() -> None:
    alert = make_alert()
    (told,) = json.loads(alertmanager_body([alert], BOARD, alert.starts_at - 500, 240.0))
    assert told["startsAt"] == timestamp(alert.starts_at - 501)


def test_times_that_cannot_be_written_are_the_nearest_that_can() -> None:
    assert (timestamp(-1.0), timestamp(0.0)) == ("1970-01-01T00:00:00.000Z",) * 2
    assert timestamp(1e300) == "9999-12-31T23:59:59.000Z"


def test_a_title_has_up_to_120_letters_and_240_bytes() -> None:
    start = "[CRITICAL] text: silent_removal "

    def title(name: str) -> str:
        alert = make_alert()
        subject = msgspec.structs.replace(alert.subject, model=name)
        return text_message([msgspec.structs.replace(alert, subject=subject)], BOARD)[0]

    letters, wide = 120 - len(start), (240 - len(start)) // 3
    assert title("x" * letters) == start + "x" * letters
    assert title("x" * (letters + 1)) == start + "x" * (letters - 1) + "…"
    most = "漢" * wide + "x" * (240 - len(start) - 3 * wide)
    assert title(most) == start + most
    assert title(most + "x") == start + "漢" * ((240 - len(start) - len("…".encode())) // 3) + "…"


def test_a_stranger_s_name_has_sixty_letters_in_a_question() -> None:
    def asked(name: str) -> str:
        subscription = msgspec.structs.replace(S, name=name)
        return confirmation_message(subscription, "https://b/x", BOARD, lambda text: text)[1]

    assert f'"{"n" * 60}"' in asked("n" * 60)
    assert f'"{"n" * 59}…"' in asked("n" * 61)


def test_five_names_that_no_board_shows_are_told_and_the_others_counted() -> None:
    def said(count: int) -> str:
        return warnings(Match(models=tuple(f"x{number}" for number in range(count))), Shown((), (), ()))[0]

    assert "'x4'" in said(5)
    assert "more" not in said(5)
    assert "'x4' and 1 more" in said(6)
