"""Check, before a process starts, its topics in Kafka and the protocol of its consumer groups.

A broker may create a missing topic when a client names it, with settings that lose data. So no process starts on a
topic that is missing or would lose data. If Kafka is away, the process does not exit: it waits.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from services.cli.admission import reach_kafka
from services.cli.errors import KafkaAway, UserError
from services.cli.topics import admin_of, describe, wish_of
from streams.contracts.access import KAFKA
from streams.contracts.groups import refusal_of_group
from streams.contracts.settings import Settings
from streams.contracts.topics import TOPICS, Weight, judge

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class TopicsMissing(UserError):  # noqa: N818 -- the name states the condition
    """Topics do not exist, or this user may not see them."""


def topics_of(process: str) -> list[str]:
    """Return the topics, without prefix, that a process in `access.KAFKA` reads or writes."""
    return [grant.name for grant in KAFKA[process] if grant.resource == "topic"]


def require_topics(settings: Settings, names: Sequence[str], groups: Sequence[str] = ()) -> None:
    """Check topics and groups once.

    Parameters
    ----------
    names, groups
        Names without the prefix.

    Raises
    ------
    KafkaAway
        When Kafka does not answer.
    UserError
        When a topic is missing or would lose data, or a group uses another protocol.
    """
    away = reach_kafka(settings.kafka)
    if away is not None:
        raise KafkaAway(f"Kafka at {settings.kafka.bootstrap} cannot be reached: {away}")
    wanted = {settings.kafka.topic(topic.name): topic for topic in TOPICS if topic.name in names}
    with admin_of(settings.kafka) as admin:
        present = set(admin.list_topics())
        missing = [name for name in wanted if name not in present]
        if missing:
            raise TopicsMissing(_missing(missing))
        found = describe(admin, list(wanted))
        known = _groups(admin) if groups else {}
    losing, mended = [], True
    for name, topic in wanted.items():
        for finding in judge(topic, found[name], wish_of(settings), partitions=1):  # the operator chooses how many
            if finding.weight is Weight.LOSES:
                losing.append(f"{name}: {finding.text}")
                mended = mended and finding.repair is not None
            else:
                log.warning("topic %s: %s", name, finding.text)
    if losing:
        how = " (`isonomy topics --repair` sets it)" if mended else ""
        raise UserError(f"data would be lost: {'; '.join(losing)}{how}")
    for group in groups:
        refusal = refusal_of_group(settings.kafka.group(group), *known.get(settings.kafka.group(group), (None, None)))
        if refusal is not None:
            raise UserError(refusal)


def wait_for_topics(settings: Settings, names: Sequence[str], groups: Sequence[str] = ()) -> None:
    """Do `require_topics`, waiting as long as Kafka is away; SIGTERM or SIGINT during the wait exits with 0."""
    waiting = threading.Event()
    told = False
    with _signals_end_it():
        while True:
            try:
                require_topics(settings, names, groups)
            except KafkaAway as error:
                if not told:
                    log.warning("%s; waiting for it", error.message)
                told = True
                waiting.wait(LOOK_SECONDS)
            else:
                if told:
                    log.info("Kafka answers")
                return


@contextmanager
def topics_beside(settings: Settings, names: Sequence[str], groups: Sequence[str] = ()) -> Iterator[None]:
    """Do `require_topics` for a server that also runs while Kafka is away.

    If Kafka is away, the block starts at once; a thread repeats the check until Kafka answers, and sends the process a
    SIGTERM if `require_topics` refuses. The server itself waits for topics that are missing at that time.
    """
    try:
        require_topics(settings, names, groups)
    except KafkaAway as error:
        log.warning("%s; its topics are checked when it answers", error.message)
    else:
        yield
        return
    over = threading.Event()
    refused: list[UserError] = []

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            try:
                require_topics(settings, names, groups)
            except (KafkaAway, TopicsMissing):
                continue
            except UserError as error:
                log.critical("%s", error.message)
                refused.append(error)
                os.kill(os.getpid(), signal.SIGTERM)
            return

    looking = threading.Thread(target=look, name="topics", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join(timeout=LOOK_SECONDS)
    if refused:
        raise refused[0]


def _missing(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"topic {names[0]} does not exist: `isonomy topics` creates it"
    return f"topics {', '.join(names)} do not exist: `isonomy topics` creates them"


def _groups(admin: KafkaAdminClient) -> dict[str, tuple[str | None, str | None]]:
    """Return type and state of the groups visible to this user; empty if the broker refuses to list them."""
    try:
        return {each["group_id"]: (each.get("group_type"), each.get("group_state")) for each in admin.list_groups()}
    except KafkaError as error:
        log.info("Kafka does not list its consumer groups: %s", error)
        return {}


@contextmanager
def _signals_end_it() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
