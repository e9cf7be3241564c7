"""Sends votes through the gateway from several threads; failed batches are resent with their ids until acknowledged."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from tests.support.http import PLAIN
from tests.support.pipeline import Vote, encode

THREADS = 3
BATCH = 100
TIMEOUT = 12.0
AGAIN = 0.3
"""Seconds before a failed batch is sent again."""


@dataclass
class Tally:
    """Ids of sent and acknowledged votes, and the number of requests by outcome."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    requests: dict[str, int] = field(default_factory=dict)


class Sender:
    """Sends votes in batches at a pace that can be changed at any time.

    One batch in 20 is sent again although it was acknowledged, as by a careless client; one in 20 is given up when its
    first try fails, so that some votes are sent and never acknowledged.

    Parameters
    ----------
    url, headers
        The gateway and a bearer key for it.
    votes
        The votes in order; the threads share them.
    """

    def __init__(self, url: str, headers: dict[str, str], votes: Sequence[Vote]) -> None:
        self._url, self._headers, self._votes = url, headers, votes
        self._next = 0
        self._due = 0.0
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"sender-{n}", daemon=True) for n in range(THREADS)]
        self.tally = Tally()
        self.pace = 1_000.0

    def start(self) -> None:
        self._due = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop; votes that are not acknowledged yet are given up."""
        self._halt.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT)

    @property
    def remaining(self) -> int:
        return len(self._votes) - self._next

    @property
    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=TIMEOUT, **PLAIN) as client:
            while not self._halt.is_set():
                taken = self._take()
                if taken is None:
                    return
                number, batch = taken
                acknowledged = self._send(client, number, batch, patient=number % 20 != 7)
                if acknowledged and number % 20 == 13:
                    self._send(client, number, batch, patient=False)

    def _take(self) -> tuple[int, Sequence[Vote]] | None:
        with self._lock:
            start = self._next
            if start >= len(self._votes):
                return None
            batch = self._votes[start : start + BATCH]
            self._next = start + len(batch)
            # After a delay, the sender does not catch up in one burst.
            self._due = max(self._due, time.monotonic() - 1.0) + len(batch) / self.pace
            wait = self._due - time.monotonic()
            self.tally.sent.update(vote["id"] for vote in batch)
        self._halt.wait(max(0.0, wait))
        return start // BATCH, batch

    def _send(self, client: httpx.Client, number: int, batch: Sequence[Vote], *, patient: bool) -> bool:
        """Send a batch until it is acknowledged; without `patient`, only once."""
        if number % 2:
            body, kind = b"\n".join(map(encode, batch)), "application/x-ndjson"
        else:
            body, kind = encode(list(batch)), "application/json"
        while not self._halt.is_set():
            try:
                answer = client.post("/v1/votes", content=body, headers={"Content-Type": kind})
                outcome = str(answer.status_code)
            except httpx.TransportError as error:
                answer, outcome = None, type(error).__name__
            with self._lock:
                self.tally.requests[outcome] = self.tally.requests.get(outcome, 0) + 1
                if answer is not None and answer.status_code == 202:
                    assert answer.json()["accepted"] == len(batch), answer.text
                    self.tally.acknowledged.update(vote["id"] for vote in batch)
                    return True
            if not patient:
                return False
            self._halt.wait(AGAIN)
        return False
