"""Reads all published boards during a whole run, and measures how soon new votes appear on them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import httpx

from streams.contracts.view import OVERALL, category_board
from tests.crash.checker import Heights
from tests.crash.workload import ARENAS, MODELS
from tests.support.http import PLAIN
from tests.support.pipeline import Vote

EVERY = 0.25
TIMEOUT = 3.0
PROBE = "probe"
"""A category that only probes have: its board shows whether a probe is counted."""
BOARDS = (OVERALL, category_board("coding"), category_board(PROBE))


class Observer:
    """Requests every board in turn from the board's read API, in its own thread.

    Parameters
    ----------
    url
        URL of the board process.
    clock
        Returns the seconds since the start of the run.
    during
        Returns the current action of the run.
    """

    def __init__(self, url: str, clock: Callable[[], float], during: Callable[[], str]) -> None:
        self._url, self._clock, self._during = url, clock, during
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.heights = Heights()
        self.answers: dict[str, int] = {}
        """Number of answers by status, and of errors by name."""
        self.votes: dict[tuple[str, str], int] = {}
        """Votes of each board when it was last read, by arena and name."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._halt.set()
        self._thread.join(2 * TIMEOUT)

    @property
    def looks(self) -> int:
        """Number of successful reads of a board."""
        return self.answers.get("200", 0)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=TIMEOUT, **PLAIN) as client:
            while not self._halt.is_set():
                for arena, board in itertools.product(ARENAS, BOARDS):
                    self._look(client, arena, board)
                self._halt.wait(EVERY)

    def _look(self, client: httpx.Client, arena: str, name: str) -> None:
        try:
            answer = client.get(f"/v1/arenas/{arena}/leaderboard", params={"board": name})
            outcome = str(answer.status_code)
        except httpx.TransportError as error:
            answer, outcome = None, type(error).__name__
        self.answers[outcome] = self.answers.get(outcome, 0) + 1
        at = self._clock()
        if answer is None or answer.status_code not in (200, 404):
            return
        # A 404 is wrong for a board that was there before; a 503 is not.
        shown = int(answer.status_code == 200)
        if shown or (arena, name) in self.votes:
            self.heights.see(f"{arena}/{name}", "presence", shown, at, self._during())
        if not shown:
            return
        board = answer.json()
        votes, ledger = board["votes"], board["position"]["ledger"]
        self.heights.see(f"{arena}/{name}", "votes", votes, at, self._during())
        self.heights.see(f"{arena}/{name}", "position.ledger", ledger, at, self._during())
        self.votes[arena, name] = votes


class Probes:
    """Votes that are sent, one to each arena at once, to measure when the boards count them."""

    def __init__(self, url: str, headers: dict[str, str], observer: Observer, tstamp: float) -> None:
        self._url, self._headers, self._observer, self._tstamp = url, headers, observer, tstamp
        self._number = 0
        self.sent: list[Vote] = []
        self.acknowledged: set[str] = set()

    def send(self) -> Callable[[], bool]:
        """Create probes; returns a function that sends them until acknowledged, and returns whether all are counted.

        Call the function until it is true, or give up: each call retries what is not done yet.
        """
        seen, name = self._observer.votes, category_board(PROBE)
        before = {arena: seen.get((arena, name), 0) for arena in ARENAS}
        probes = [self._make(arena) for arena in ARENAS]
        self.sent += probes
        self._number += 1
        ids = {vote["id"] for vote in probes}

        def counted() -> bool:
            if not ids <= self.acknowledged and self._post(probes):
                self.acknowledged |= ids
            return ids <= self.acknowledged and all(seen.get((a, name), 0) > before[a] for a in ARENAS)

        return counted

    def _make(self, arena: str) -> Vote:
        return {
            "id": f"{PROBE}-{arena}-{self._number}",
            "arena": arena,
            "model_a": MODELS[self._number % 6],
            "model_b": MODELS[8 + self._number % 4],
            "winner": "model_a" if self._number % 2 else "model_b",
            "tstamp": self._tstamp + self._number,
            "categories": [PROBE],
        }

    def _post(self, probes: list[Vote]) -> bool:
        try:
            answer = httpx.post(self._url + "/v1/votes", json=probes, headers=self._headers, timeout=TIMEOUT, **PLAIN)
        except httpx.TransportError:
            return False
        return answer.status_code == 202 and answer.json()["accepted"] == len(probes)
