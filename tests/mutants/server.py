"""A pytest plugin: a warm process that forks for each mutant, so that none starts Python and the libraries again.

`tests.mutants` starts `python -m pytest -p tests.mutants.server` in a copy of the tree and writes requests to its
standard input, one JSON object a line; each is answered by a line. The process stops before pytest collects, and a
child goes on from there: it imports our modules and the tests anew, changed or not.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings

# pytest takes both over later; children write what they print into the log.
REQUESTS = os.fdopen(os.dup(0))
ANSWERS = os.fdopen(os.dup(1), "w")
LOG = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - as long as the process
os.dup2(LOG.fileno(), 1)
os.dup2(LOG.fileno(), 2)

LIBRARIES = (
    "numpy",
    "scipy.optimize",
    "scipy.stats",
    "numba",
    "msgspec",
    "aiohttp",
    "apprise",
    "aiokafka",
    "faust",
    "redis",
)
"""Slow to import. polars is not among them: its threads do not survive a fork."""
OURS = ("streams.fairness", "streams.ratings", "streams.intake", "services.herald")
"""What a child has to import itself, or it would not see the change."""
EXAMPLES, EXAMPLES_MEASURED = 30, 10
"""Most examples of a property with a change, and to find which functions it enters."""
CLOCK_SECONDS = 60
"""A test that waits for so long is noticed."""
TIMES = itertools.count(1_000_000_000)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Answer requests; only children return, and collect."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in LIBRARIES:
            importlib.import_module(library)
    loaded = [name for name in sys.modules if name.startswith(OURS)]
    assert not loaded, f"a change of these would not be seen: {loaded}"
    for line in REQUESTS:
        request = json.loads(line)
        room = Path(tempfile.mkdtemp())
        answer = answered(session, request, room)
        if answer is None:
            return
        shutil.rmtree(room)
        ANSWERS.write(json.dumps(answer) + "\n")
        ANSWERS.flush()
    os._exit(0)


def answered(session: pytest.Session, request: dict[str, Any], room: Path) -> dict[str, Any] | None:
    """What became of a request; None in the child.

    A request without a change (`path`) asks which tests enter which functions; these must all pass.
    """
    path, reach = request["path"], room / "reach.json"
    LOG.seek(0)
    LOG.truncate()
    if path:
        # Compiled files are known by the time and size of their source: each change has a time of its own.
        shutil.copy2(path, room / "good")
        Path(path).write_text(request["code"])
        os.utime(path, (next(TIMES),) * 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 warns of threads; there are none that we need
            child = os.fork()
        if child == 0:
            begin(session, request, reach, str(room))
            path = None
            return None
        _, status = os.waitpid(child, 0)
        # What the tests started and left.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    finally:
        if path:
            shutil.copy2(room / "good", path)
    code = os.waitstatus_to_exitcode(status)
    LOG.seek(0)
    answer = {"code": code, "ended": code != -signal.SIGXCPU, "said": LOG.read()[-2_000:]}
    return answer | ({"reach": json.loads(reach.read_text())} if reach.exists() else {})


def begin(session: pytest.Session, request: dict[str, Any], reach: Path, machine: str) -> None:
    """In the child: only the tests asked for, the shortest first, until one fails."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (request["seconds"], request["seconds"] + 1))
    config = session.config
    config.option.maxfail = 1
    config.pluginmanager.register(Ends())
    if request["path"] is None:
        config.args = request["tests"]
        measuring = Reach(reach)
        config.pluginmanager.register(measuring)
        measuring.import_what_is_shared(request["tests"])
        return
    config.args = list(dict.fromkeys(test.partition("::")[0] for test in request["tests"]))
    config._env_timeout = CLOCK_SECONDS  # type: ignore[attr-defined]  # what pytest-timeout goes by
    config.pluginmanager.register(Chosen(request["tests"]))
    if request["fresh"]:
        # Machine code is known by the text of its own module, not by what it calls.
        import numba

        numba.config.CACHE_DIR = machine


class Ends:
    """Ends the child without taking the interpreter down, which may wait for a thread for ever."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Iterator[None]:
        yield
        sys.stdout.flush()
        os._exit(int(exitstatus))


def with_examples(items: list[pytest.Item], most: int) -> None:
    """Try so many examples at most, the same each time, and leave a failure as it is: it need not be made smaller."""
    phases = (Phase.explicit, Phase.generate)
    for item in items:
        test = getattr(item, "obj", None)
        given = getattr(test, "_hypothesis_internal_use_settings", None)
        if given is not None:
            fewer = settings(
                given, max_examples=min(given.max_examples, most), derandomize=True, database=None, phases=phases
            )
            test._hypothesis_internal_use_settings = fewer  # type: ignore[union-attr]


class Chosen:
    """Runs these tests in this order."""

    def __init__(self, tests: list[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.places and not item.get_closest_marker("integration")]
        items.sort(key=lambda item: self.places[item.nodeid])
        with_examples(items, EXAMPLES)


class Reach:
    """Notes which functions each test enters, and how long it takes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.codes: dict[int, CodeType] = {}
        self.imported: set[tuple[str, int]] = set()
        self.collected: dict[str, set[tuple[str, int]]] = {}
        self.entered: dict[str, list[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}
        self.root = os.getcwd() + "/"

    @contextlib.contextmanager
    def watched(self) -> Iterator[set[tuple[str, int]]]:
        """File and first line of each of our functions that is entered meanwhile, in any thread."""
        found: set[tuple[str, int]] = set()
        codes: dict[int, CodeType] = {}

        def note(frame: FrameType, event: str, argument: object) -> None:
            codes[id(frame.f_code)] = frame.f_code

        threading.settrace(note)
        sys.settrace(note)
        try:
            yield found
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            for code in list(codes.values()):
                if code.co_filename.startswith((self.root + "streams/", self.root + "services/")):
                    found.add((code.co_filename.removeprefix(self.root), code.co_firstlineno))

    def import_what_is_shared(self, places: list[str]) -> None:
        """What is entered as our modules and the tests' helpers are imported, every test may depend on."""
        helpers = [path for place in places for path in sorted(Path(place).rglob("*.py"))]
        with self.watched() as found:
            for path in helpers:
                if not path.name.startswith(("test_", "conftest", "__main__")):
                    importlib.import_module(str(path.with_suffix("")).replace("/", ".").removesuffix(".__init__"))
        self.imported |= found

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        with self.watched() as found:
            report = yield
        if isinstance(collector, pytest.File):
            self.collected.setdefault(collector.nodeid, set()).update(found)
        else:
            self.imported |= found
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not item.get_closest_marker("integration")]
        with_examples(items, EXAMPLES_MEASURED)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        # What one test left in a cache, the next would not enter.
        for name, module in list(sys.modules.items()):
            if name.startswith(("streams", "services", "tests")):
                for each in list(vars(module).values()):
                    if isinstance(each, functools._lru_cache_wrapper):
                        each.cache_clear()
        with self.watched() as found:
            done = yield
        self.entered[item.nodeid] = sorted(found)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        seconds = {test: self.seconds[test] for test in self.entered}
        spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        self.path.write_text(
            json.dumps(
                {
                    "seconds": seconds,
                    "entered": self.entered,
                    "collected": {path: sorted(found) for path, found in self.collected.items()},
                    "imported": sorted(self.imported),
                    "processor": spent,
                }
            )
        )
