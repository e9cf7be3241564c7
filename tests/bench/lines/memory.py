"""(g) Memory of a worker after the replay of all 1,670,250 real votes, and bytes per id in the dedup memory."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.place import REPOSITORY, Place, Servers
from tests.bench.report import Bound, Row, number
from tests.bench.votes import NAME

LINE = "g"
VOTES = 1_670_250
DEADLINE = 180.0
ARENA = "text"


def measure(servers: Servers) -> Iterator[Row]:
    """Rows of memory, and of the pace of the whole replay."""
    place = servers.place()
    with place.worker() as worker, ThreadPoolExecutor(1) as pool:
        watching = pool.submit(place.run, "watch", DEADLINE, arena=ARENA, total=VOTES)
        _replay(place)
        seen = watching.result()
        series = place.get(worker.port, "/metrics")
        resident, peak = (_status(worker.process.pid, name) / 2**20 for name in ("VmRSS", "VmHWM"))
    ids, held = _sum(series, "isonomy_intake_dedup_ids"), _sum(series, "isonomy_intake_dedup_bytes")
    yield Row(LINE, "resident memory of the worker, all votes replayed", resident, "MiB", None, f"peak {number(peak)}")
    note = f"{number(ids)} ids in {number(held / 2**20)} MiB"
    yield Row(LINE, "memory for each id remembered", held / ids, "bytes", Bound(most=100), note)
    pace = seen["votes"] / seen["seconds"]
    yield Row(LINE, f"the replay, sender and all, {servers.kind}", pace, "votes/s", None, f"{seen['boards']} boards")


def _replay(place: Place) -> None:
    command = [sys.executable, "-m", "services.cli.main", "replay", NAME]
    done = subprocess.run(
        command, env=place.environ, cwd=REPOSITORY, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the replay failed: {done.stderr[-500:]}")


def _status(pid: int, name: str) -> int:
    """A figure of a process's status, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the system does not tell {name}")
    return 1024 * int(found[1])


def _sum(series: str, name: str) -> float:
    return sum(map(float, re.findall(rf"^{name}{{[^}}]*}} (\S+)$", series, re.MULTILINE)))
