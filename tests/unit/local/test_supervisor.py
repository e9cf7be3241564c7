"""The supervisor starts in order, restarts what falls, gives up loudly, and stops in reverse order."""

import threading
from pathlib import Path

import pytest

from services.local.process import ChildProcess, StartError
from services.local.supervisor import ChildEvent, ChildReport, GaveUpError, RestartPolicy, Supervisor
from tests.support.eventually import eventually

HASTY = RestartPolicy(quick=5.0, quick_failures=3, first_delay=0.01, longest_delay=0.02)


class FakeChild:
    """A child that does what the test says and records its signals."""

    def __init__(self, name: str, journal: list[str], *, start_error: str = "") -> None:
        self.name, self.journal, self.start_error = name, journal, start_error
        self.code: int | None = None
        self.last_line = ""

    def start(self) -> None:
        self.journal.append(f"start {self.name}")
        if self.start_error:
            raise StartError(self.start_error)
        self.code = None

    def poll(self) -> int | None:
        return self.code

    def terminate(self, deadline: float = 10.0) -> None:
        self.journal.append(f"stop {self.name}")
        self.code = 0


def watch(supervisor: Supervisor) -> None:
    """Look until the supervisor gives up, then stop what still runs, as `isonomy up` does."""
    try:
        eventually(supervisor.check)
    finally:
        supervisor.stop()


@pytest.fixture
def journal() -> list[str]:
    return []


@pytest.fixture
def reports() -> list[ChildReport]:
    return []


def test_children_start_in_order_and_stop_in_reverse(journal: list[str], reports: list[ChildReport]) -> None:
    supervisor = Supervisor({name: FakeChild(name, journal) for name in "abc"}, report=reports.append)
    supervisor.start()
    supervisor.stop()
    supervisor.stop()
    assert journal == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert [report.what for report in reports] == [ChildEvent.STARTED] * 3 + [ChildEvent.STOPPED] * 3


def test_a_failed_first_start_stops_those_before_it(journal: list[str], reports: list[ChildReport]) -> None:
    children = {"a": FakeChild("a", journal), "b": FakeChild("b", journal, start_error="no"), "c": None}
    with pytest.raises(StartError, match="no"):
        Supervisor(children, report=reports.append).start()
    assert journal == ["start a", "start b", "stop b", "stop a"]


def test_a_fallen_child_is_restarted_after_its_delay_and_the_others_are_left_alone(
    journal: list[str], reports: list[ChildReport]
) -> None:
    children = {name: FakeChild(name, journal) for name in "ab"}
    supervisor = Supervisor(children, report=reports.append, patience=HASTY)
    supervisor.start()
    children["b"].code = -9
    eventually(lambda: supervisor.check() or supervisor.restarts() == {"a": 0, "b": 1})
    assert journal == ["start a", "start b", "start b"]
    assert reports[2:] == [ChildReport("b", ChildEvent.EXITED, 0, -9, 0.01), ChildReport("b", ChildEvent.RESTARTED, 1)]


def test_the_supervisor_gives_up_after_too_many_quick_failures_and_stops_the_others(
    journal: list[str], reports: list[ChildReport]
) -> None:
    children = {"a": FakeChild("a", journal), "b": FakeChild("b", journal)}
    children["b"].start = lambda: setattr(children["b"], "code", 7)
    supervisor = Supervisor(children, report=reports.append, patience=HASTY)
    supervisor.start()
    with pytest.raises(GaveUpError, match="b failed, after 3 quick failures in a row: exit code 7"):
        watch(supervisor)
    assert journal == ["start a", "stop b", "stop a"]
    assert ChildReport("b", ChildEvent.GAVE_UP, 2, 7) in reports


def test_what_exits_is_told_with_the_last_line_that_it_said(tmp_path: Path, reports: list[ChildReport]) -> None:
    script = 'if [ -e said ]; then exit 4; else touch said; echo first; echo "no such host"; exit 3; fi'
    child = ChildProcess("b", ["sh", "-c", script], log_path=tmp_path / "b.log", cwd=tmp_path)
    patience = RestartPolicy(quick=60.0, quick_failures=3, first_delay=0.01)
    supervisor = Supervisor({"b": child}, report=reports.append, patience=patience)
    supervisor.start()
    try:
        eventually(lambda: supervisor.check() or supervisor.restarts() == {"b": 2})
    finally:
        supervisor.stop()
    exits = [(report.code, report.detail) for report in reports if report.what is ChildEvent.EXITED]
    assert exits == [(3, "no such host"), (4, "")]  # the second one said nothing: the line is the first one's


def test_giving_up_names_the_last_line(journal: list[str], reports: list[ChildReport]) -> None:
    child = FakeChild("a", journal)
    supervisor = Supervisor({"a": child}, report=reports.append, irreplaceable={"a"})
    supervisor.start()
    child.code, child.last_line = 1, "Error: port 9092 of 127.0.0.1 is taken"
    with pytest.raises(GaveUpError, match=r"exit code 1; its last line: Error: port 9092 of 127\.0\.0\.1 is taken$"):
        watch(supervisor)


def test_a_restart_that_fails_counts_as_a_quick_failure(journal: list[str], reports: list[ChildReport]) -> None:
    child = FakeChild("a", journal)
    supervisor = Supervisor({"a": child}, report=reports.append, patience=HASTY)
    supervisor.start()
    child.code, child.start_error = 1, "port taken"
    with pytest.raises(GaveUpError, match="port taken"):
        watch(supervisor)
    assert journal.count("start a") == 3


def test_a_child_that_lived_long_is_restarted_at_once_and_starts_afresh(
    journal: list[str], reports: list[ChildReport]
) -> None:
    child = FakeChild("a", journal)
    supervisor = Supervisor({"a": child}, report=reports.append, patience=RestartPolicy(quick=0.0, quick_failures=1))
    supervisor.start()
    for _ in range(5):
        child.code = 1
        supervisor.check()
    assert supervisor.restarts() == {"a": 5}


def test_an_irreplaceable_child_ends_the_stack(journal: list[str], reports: list[ChildReport]) -> None:
    children = {name: FakeChild(name, journal) for name in "ab"}
    supervisor = Supervisor(children, report=reports.append, irreplaceable={"a"})
    supervisor.start()
    children["a"].code = -11
    with pytest.raises(GaveUpError, match="a failed"):
        watch(supervisor)
    assert journal[2:] == ["stop b", "stop a"]


def test_delays_double_up_to_the_longest() -> None:
    patience = RestartPolicy(first_delay=0.5, longest_delay=3.0)
    assert [patience.delay(n) for n in range(6)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_real_children_are_restarted_and_all_stopped(tmp_path: Path, reports: list[ChildReport]) -> None:
    children = {name: ChildProcess(name, ["sleep", "60"], log_path=tmp_path / f"{name}.log") for name in "ab"}
    threads = set(threading.enumerate())
    supervisor = Supervisor(children, report=reports.append, patience=HASTY)
    try:
        supervisor.start()
        children["a"].kill()
        eventually(lambda: supervisor.check() or supervisor.restarts() == {"a": 1, "b": 0})
    finally:
        supervisor.stop()
    assert [report.name for report in reports if report.what is ChildEvent.STOPPED] == ["b", "a"]
    assert not any(child.alive for child in children.values())
    assert set(threading.enumerate()) <= threads
