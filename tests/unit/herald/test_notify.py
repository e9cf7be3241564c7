"""Which deliveries are due and how they end, through crashes at any point."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.herald.rules.dedup import AlertDedup, News
from services.herald.rules.matching import matches
from services.herald.rules.outcome import forgettable
from streams.contracts.alert import Kind, Severity, Status, Subject
from streams.contracts.delivery import Blocked, Outcome, Replay, State, delivery_id
from streams.contracts.subscription import Activity, Match
from tests.support.herald import make_alert, make_subscription
from tests.unit.herald.making import PaperHerald

URL = "https://hooks.example.com/"
S = make_subscription("s", URL)
FIRING, RESOLVED = make_alert(1), make_alert(1, Status.RESOLVED)
A = FIRING.id


def only(herald, status=Status.FIRING):
    (found,) = [each for each in herald.book.deliveries.values() if each.status is status]
    return found


# --- matching --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"arena": "text"}, True),
        ({"arena": "code"}, False),
        ({"kinds": (Kind.SILENT_REMOVAL,)}, True),
        ({"kinds": (Kind.SHARE_DRIFT, Kind.RANK_CHURN)}, False),
        ({"severity": Severity.CRITICAL}, True),
        ({"models": ("model-1",)}, True),
        ({"models": ("model-2",)}, False),
        ({"providers": ("Cedar",)}, False),
        ({"providers": ("Cedar",), "models": ("model-1",)}, True),
        ({"arena": "text", "models": ("model-2",)}, False),
    ],
)
def test_every_field_that_is_given_must_hold(match, expected):
    assert matches(Match(**match), FIRING) is expected


def test_a_subscription_to_models_does_not_hear_of_the_arena():
    arena = msgspec.structs.replace(FIRING, subject=Subject())
    assert not matches(Match(models=("model-1",)), arena)
    assert matches(Match(), arena)


def test_a_subscription_to_a_model_hears_of_voters_who_push_it():
    pushed = msgspec.structs.replace(FIRING, subject=Subject(voter="f2ecc2d52af33f5a"), evidence={"model": "model-1"})
    assert matches(Match(models=("model-1",)), pushed)
    assert not matches(Match(models=("model-2",)), pushed)
    assert not matches(Match(models=("model-1",)), msgspec.structs.replace(pushed, evidence={}))


@pytest.mark.parametrize("stored", ["cafe\u0301 9b", "caf\u00e9  9b", "\ufeffcaf\u00e9\u200b 9b ", "caf\u00e9 9b"])
@pytest.mark.parametrize("told", ["caf\u00e9 9b", "cafe\u0301 9b"])
def test_a_name_is_matched_however_an_older_record_wrote_it(stored, told):
    about_model = msgspec.structs.replace(FIRING, subject=Subject(model=told))
    about_provider = msgspec.structs.replace(FIRING, subject=Subject(provider=told))
    assert matches(Match(models=("x", stored)), about_model)
    assert matches(Match(providers=("x", stored)), about_provider)
    assert not matches(Match(models=(stored.replace("c", "C"),)), about_model)  # letter case makes another name
    assert not matches(Match(models=(stored,)), about_provider)


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("least", Severity)
def test_the_least_severity(severity, least):
    order = [Severity.INFO, Severity.WARNING, Severity.CRITICAL]
    alert = make_alert(severity=severity)
    assert matches(Match(severity=least), alert) == (order.index(severity) >= order.index(least))


# --- what is news ----------------------------------------------------------------------------------------------------


def test_statements_are_told_apart():
    known = AlertDedup()
    warning = make_alert(severity=Severity.WARNING)
    assert [known.tell(each) for each in (warning, warning, FIRING, warning, RESOLVED)] == [
        News.NEW,
        News.REPEAT,
        News.WORSE,
        News.REPEAT,
        News.RESOLVED,
    ]


def test_a_replay_of_the_ledger_is_no_news():
    later = make_alert(onset="900", detected_at=FIRING.detected_at + 9_000)
    known = AlertDedup()
    for each in (FIRING, RESOLVED, later):
        known.tell(each)
    assert [known.tell(each) for each in (FIRING, RESOLVED, later)] == [News.STALE, News.STALE, News.REPEAT]


def test_a_replay_is_no_news_after_compaction_left_the_newest():
    later = make_alert(onset="900", detected_at=FIRING.detected_at + 9_000)
    known = AlertDedup()
    known.tell(later)
    assert [known.tell(each) for each in (FIRING, RESOLVED, later)] == [News.STALE, News.STALE, News.REPEAT]
    assert known.fires(later.id)
    assert not known.fires(A)


# --- told once -------------------------------------------------------------------------------------------------------


def test_firing_is_told_once_and_resolved_once():
    herald = PaperHerald(S)
    for each in (FIRING, FIRING):
        herald.tell(each)
        herald.run()
    for each in (RESOLVED, RESOLVED, FIRING):
        herald.tell(each)
        herald.run()
    assert herald.told() == [[(A, "firing")], [(A, "resolved")]]


def test_worse_is_told_again_and_the_same_is_not():
    herald = PaperHerald(S, make_subscription("critical", URL, severity=Severity.CRITICAL))
    for severity in (Severity.WARNING, Severity.WARNING, Severity.CRITICAL, Severity.WARNING, Severity.CRITICAL):
        herald.tell(make_alert(severity=severity))
        herald.run()
    herald.tell(RESOLVED)
    herald.run()
    assert herald.told() == [[(A, "firing")], [(A, "firing")], [(A, "resolved")]]
    assert herald.told("critical") == [[(A, "firing")], [(A, "resolved")]]


def test_a_burst_is_one_message_and_each_alert_has_its_record():
    herald = PaperHerald(S)
    for number in range(120):
        herald.tell(make_alert(number))
    herald.run()
    assert sorted(len(alerts) for alerts in herald.told()) == [20, 50, 50]
    assert len(herald.book.deliveries) == 120
    assert {each.state for each in herald.book.deliveries.values()} == {State.DELIVERED}


def test_a_new_subscription_gets_what_fires_and_not_what_is_over():
    herald = PaperHerald()
    for each in (FIRING, RESOLVED, make_alert(2)):
        herald.tell(each)
    herald.now += 1
    herald.subscribe(S)
    herald.run()
    assert herald.told() == [[(make_alert(2).id, "firing")]]


def test_resolved_goes_only_to_who_got_the_firing():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run()
    herald.subscribe(make_subscription("late", URL, models=("model-2",)))
    herald.tell(RESOLVED)
    herald.run()
    assert herald.told("late") == []


def test_resolved_waits_for_its_firing():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run(Outcome.REJECTED)
    herald.tell(RESOLVED)
    herald.run(Outcome.REJECTED)
    assert only(herald, Status.RESOLVED).state is State.WAITING
    herald.start()
    herald.run(seconds=400)
    assert herald.told() == [[(A, "firing")], [(A, "resolved")]]


def test_resolved_is_skipped_when_the_firing_is_given_up_and_both_can_be_replayed():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run(Outcome.REJECTED)
    herald.tell(RESOLVED)
    while only(herald).state is State.PENDING:
        herald.now = only(herald).next_at
        herald.run(Outcome.REJECTED, 0.5)
    assert (only(herald).state, only(herald).attempt) == (State.DEAD, 7)
    assert only(herald, Status.RESOLVED).state is State.SKIPPED
    herald.write(*(Replay(delivery=each.id, round=1, at=herald.now) for each in herald.book.deliveries.values()))
    herald.start()
    herald.run()
    assert herald.told() == [[(A, "firing")], [(A, "resolved")]]
    herald.start()
    herald.run()
    assert len(herald.told()) == 2, "a replay is obeyed once"


def test_an_endpoint_that_fails_for_an_hour_is_told_at_the_first_attempt_after_it():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    began = herald.now
    while not herald.sent:
        herald.now += 1.0
        herald.close()
        for members in herald.due():
            herald.attempt(members, Outcome.REJECTED if herald.now < began + 3600 else Outcome.DELIVERED)
        assert herald.now < began + 86_400
    delivery = only(herald)
    # 5 s, 5 min, 30 min and 2 h, each drawn out by up to a fifth, and the second of grouping.
    assert 9_305 <= herald.now - began <= 9_305 * 1.2 + 10
    assert (delivery.state, delivery.attempt) == (State.DELIVERED, 5)


def test_410_disables_and_a_change_of_the_owner_ends_that():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run(Outcome.GONE)
    assert herald.book.subscription("s").status is Activity.DISABLED
    assert herald.book.subscription("s").reason == "410"
    herald.tell(make_alert(2))
    herald.run()
    assert herald.told() == []
    herald.subscribe(msgspec.structs.replace(S, revision=2))
    herald.run()
    assert herald.told() == [[(make_alert(2).id, "firing")]]


def test_what_fired_and_ended_while_no_herald_ran_is_told():
    herald = PaperHerald(S)
    herald.now += 10
    herald.alerts += [(herald.now, FIRING), (herald.now + 5, RESOLVED)]
    herald.now += 60
    herald.start()
    herald.run()
    assert herald.told() == [[(A, "firing")], [(A, "resolved")]]


def test_a_message_keeps_its_id_through_retries_and_crashes():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run(Outcome.TIMEOUT)
    message = only(herald).message
    herald.start()
    herald.run(Outcome.TIMEOUT, 20)
    herald.start()
    herald.run(Outcome.DELIVERED, 500)
    assert [each[2] for each in herald.sent] == [message]


@pytest.mark.parametrize("by", ["frozen", ""], ids=["of a herald that was replaced", "of our own"])
def test_a_late_record_takes_nothing_back_and_is_named_when_it_lies_behind(by):
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run()
    done, at = only(herald), len(herald.log) - 1
    late = msgspec.structs.replace(done, state=State.PENDING, attempt=3, by=by)
    assert herald.book.take(late.id, late, at + 1)
    assert not herald.book.take(late.id, late, at - 1), "an echo of what was before is none"
    assert not herald.book.take(done.id, done, at + 2), "written again, it is right"
    assert only(herald) == done


def test_a_record_that_was_acknowledged_is_not_applied_again_when_it_is_read():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run()
    done, at = only(herald), len(herald.log) - 1
    copy = msgspec.structs.replace(done)
    assert not herald.book.take(done.id, copy, at)
    assert not herald.book.take(done.id, copy, at - 1), "a batch that a client sent twice: the acknowledged one counts"
    assert only(herald) is done
    assert herald.book.at[done.id] == at


def test_a_record_that_is_further_along_counts_though_it_lies_before_the_acknowledged_one():
    """The herald before wrote that it was delivered; ours, acknowledged first, says that it is pending."""
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.now += 2
    herald.close()
    pending, at = only(herald), len(herald.log)
    herald.book.take(pending.id, pending, at + 1)
    done = msgspec.structs.replace(pending, state=State.DELIVERED, attempt=1, by="before")
    assert not herald.book.take(done.id, done, at)
    assert only(herald) == done
    assert herald.book.take(pending.id, pending, at + 1), "it must be written again, behind this one"


def test_the_echo_of_a_forgotten_delivery_does_not_take_back_what_was_written_since():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run()
    done, at = only(herald), len(herald.log)
    herald.book.take(done.id, None, at)
    assert herald.book.deliveries == {}
    herald.book.take(done.id, done, at + 1)
    herald.book.take(done.id, None, at)
    assert only(herald) == done
    herald.book.take(done.id, None, at + 2)
    assert herald.book.deliveries == {}


def test_what_is_settled_long_ago_is_forgotten_but_not_while_it_fires():
    herald = PaperHerald(S)
    for each in (FIRING, RESOLVED, make_alert(2)):
        herald.tell(each)
        herald.run()
    day = 86_400.0
    assert forgettable(herald.book, herald.notifier.known, herald.now + 29 * day, 30 * day, 100) == []
    old = forgettable(herald.book, herald.notifier.known, herald.now + 31 * day, 30 * day, 100)
    assert sorted(old) == sorted(
        delivery_id("s", A, status, Severity.CRITICAL) for status in (Status.FIRING, Status.RESOLVED)
    )


def test_what_is_owed_to_nobody_is_forgotten_at_once():
    herald = PaperHerald(S)
    herald.tell(FIRING)
    herald.run()
    herald.book.take_subscription("s", None)
    assert forgettable(herald.book, herald.notifier.known, herald.now, 1e9, 100) == [only(herald).id]


# --- crashes at any point --------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(0, 3), st.booleans(), st.booleans()),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("crash")),
        st.tuples(st.just("wait"), st.sampled_from([0.2, 1.0, 6.0, 400.0])),
        st.tuples(st.just("attempt"), st.sampled_from([Outcome.DELIVERED, Outcome.TIMEOUT]), st.booleans()),
    ),
    max_size=40,
)


@given(STEPS)
def test_nothing_is_lost_and_nothing_recorded_is_sent_again(steps):
    herald = PaperHerald(S, make_subscription("t", URL, models=("model-0", "model-1")))
    herald.now += 1
    episode = dict.fromkeys(range(4), 0)
    firing: set[int] = set()
    cut: set[str] = set()
    unread = False
    for step in steps:
        match step:
            case ("tell", number, begins, away):
                if begins == (number in firing):
                    continue  # an alert begins when it does not fire, and ends when it does
                episode[number] += begins
                (firing.add if begins else firing.discard)(number)
                status = Status.FIRING if begins else Status.RESOLVED
                detected = 1e9 + 1000.0 * episode[number]
                alert = make_alert(number, status, onset=str(episode[number] * 10), detected_at=detected)
                if away:  # a herald reads it only when it starts, and perhaps more with it
                    herald.alerts.append((herald.now, alert))
                    unread = True
                    continue
                if unread:
                    herald.start()
                    unread = False
                herald.tell(alert)
            case ("again", at) if herald.alerts and not unread:
                herald.tell(herald.alerts[at % len(herald.alerts)][1])
            case ("crash",):
                herald.start()
                unread = False
            case ("wait", seconds):
                herald.now += seconds
                herald.close()
            case ("attempt", outcome, dies):
                for members in herald.due()[:1]:
                    if dies and outcome is Outcome.DELIVERED:
                        cut.add(members[0].message)
                    herald.attempt(members, outcome, crash_before_record=dies)
    herald.start()
    herald.run(seconds=1_000)
    herald.start()
    herald.run(seconds=60_000 if any(each.state is State.PENDING for each in herald.book.deliveries.values()) else 5)

    owed = {(each.id, each.status.value) for _, each in herald.alerts}
    for name, models in (("s", range(4)), ("t", range(2))):
        mine = {(alert, status) for alert, status in owed if any(make_alert(n).fingerprint in alert for n in models)}
        told = [alert for alerts in herald.told(name) for alert in alerts]
        assert set(told) == mine
        uncut = [
            alert for _, who, message, alerts in herald.sent if who == name and message not in cut for alert in alerts
        ]
        assert len(uncut) == len(set(uncut))
        for alert, status in told:
            assert status == "firing" or told.index((alert, "firing")) < told.index((alert, "resolved"))


def test_what_the_operator_disabled_stays_so_whatever_its_owner_changes():
    herald = PaperHerald(S)
    herald.write(Blocked(subscription="s", reason="complaints", at=herald.now))
    herald.tell(FIRING)
    herald.subscribe(msgspec.structs.replace(S, revision=2))
    herald.run()
    assert herald.told() == []
    found = herald.book.subscription("s")
    assert (found.status, found.reason) == (Activity.DISABLED, "disabled by the operator: complaints")
    herald.start()  # another herald knows it, too
    herald.run()
    assert herald.told() == []
    herald.log.append(("blocked/s", None))
    herald.book.take("blocked/s", None, len(herald.log) - 1)
    herald.notifier.subscription("s", herald.now, herald.now)
    herald.run()
    assert herald.told() == [[(FIRING.id, "firing")]]


def test_who_has_no_key_any_more_hears_nothing_and_what_is_owed_waits():
    herald, other = PaperHerald(S, msgspec.structs.replace(S, id="t", owner="other")), {"test"}
    herald.book.is_allowed = lambda subscription: subscription.owner not in other
    herald.tell(FIRING)
    herald.run()
    assert (herald.told("s"), herald.told("t")) == ([], [[(FIRING.id, "firing")]])
    assert "key" in herald.book.subscription("s").reason
    other.clear()
    herald.notifier.subscription("s", herald.now, herald.now)
    herald.run()
    assert herald.told("s") == [[(FIRING.id, "firing")]]
