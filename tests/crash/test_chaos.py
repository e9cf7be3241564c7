"""While votes stream in, random faults of many kinds happen; then every promise is checked.

Environment: ISONOMY_CHAOS_FAULTS (6), ISONOMY_CHAOS_VOTES (12,000), ISONOMY_CHAOS_SEED (1), ISONOMY_CHAOS_MINUTES
(150, after which no fault starts), and ISONOMY_CHAOS_KINDS (`kill_intake,redis_full`, or `all`; by default those of ten
seconds at most). The long form is `make reliability`.
"""

import os
from pathlib import Path

import pytest

from tests.crash.chaos import Plan, run
from tests.crash.faults import CATALOGUE
from tests.crash.stack import EventLog

pytestmark = [pytest.mark.crash, pytest.mark.integration, pytest.mark.timeout(14_400)]

QUICK = 10.0
"""Maximum seconds of the faults in the short form."""
KINDS = os.environ.get("ISONOMY_CHAOS_KINDS") or ",".join(n for n, each in CATALOGUE.items() if each.seconds <= QUICK)
PLAN = Plan(
    votes=int(os.environ.get("ISONOMY_CHAOS_VOTES", "12000")),
    faults=int(os.environ.get("ISONOMY_CHAOS_FAULTS", "6")),
    seed=int(os.environ.get("ISONOMY_CHAOS_SEED", "1")),
    kinds=() if KINDS == "all" else tuple(KINDS.split(",")),
    minutes=float(os.environ.get("ISONOMY_CHAOS_MINUTES", "150")),
)


def test_there_are_enough_kinds_of_faults() -> None:
    assert len(CATALOGUE) >= 15


def test_whatever_is_done_every_promise_holds(tmp_path: Path, redis_prefix: str, log: EventLog) -> None:
    result = run(PLAN, tmp_path, redis_prefix.rstrip(":"), log.show)
    for each in result.recoveries():
        log.say(f"{each.kind}: {each.times} times, recovered after {each.median} s, at most {each.longest} s")
    log.say(str(result.figures))
    for finding in result.findings:
        log.say(f"BROKEN: {finding}")
    assert result.findings == []
