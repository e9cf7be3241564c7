"""Which tests are run for a change of the code: none that could notice it may be left out."""

import pytest

from tests.mutants.reach import Reach, around, text, users, wants_fresh_machine_code

GRAPH = "streams/fairness/detectors/graph_fragile.py"


def line(path, words):
    return next(number for number, each in enumerate(text(path).splitlines(), 1) if words in each)


def test_a_line_belongs_to_the_innermost_function_around_it():
    assert around(GRAPH, line(GRAPH, "labels = strong_components")) == (GRAPH, line(GRAPH, "def _apart"))
    assert around(GRAPH, line(GRAPH, "BUSY = 100")) is None


def test_a_constant_is_used_by_the_functions_that_mention_it():
    busy, single = (users(GRAPH, {name}) for name in ("BUSY", "SINGLE"))
    assert busy is not None
    assert single is not None
    assert (GRAPH, line(GRAPH, "def _apart")) in busy
    assert {(GRAPH, line(GRAPH, f"def {name}(")) for name in ("review", "verdicts")} <= single


def measured(entered, collected=(), imported=()):
    return {
        "seconds": dict.fromkeys(entered, 1.0) | {"tests/unit/test_mutants.py::quick": 0.5},
        "entered": {test: [(GRAPH, each) for each in lines] for test, lines in entered.items()},
        "collected": {"b": [(GRAPH, each) for each in collected]},
        "imported": [(GRAPH, each) for each in imported],
        "processor": 3.0,
    }


def test_the_tests_that_enter_the_function_are_run_and_no_others():
    apart, review = line(GRAPH, "def _apart"), line(GRAPH, "def review(")
    entered = {"a::one": [apart], "a::two": [review, apart], "a::three": [review], "b::four": []}
    reach = Reach.of(measured(entered, collected=[apart]))
    assert set(reach.tests(GRAPH, line(GRAPH, "labels = strong_components"))) == {"a::one", "a::two", "b::four"}


@pytest.mark.parametrize("words", ["labels = strong_components", "class GraphFragile"])
def test_every_test_is_run_for_what_is_made_as_modules_are_imported(words):
    apart = line(GRAPH, "def _apart")
    reach = Reach.of(measured({"a::one": [apart], "a::two": []}, imported=[apart]))
    assert set(reach.tests(GRAPH, line(GRAPH, words))) == {"a::one", "a::two", "tests/unit/test_mutants.py::quick"}


def test_machine_code_is_made_anew_when_what_it_is_made_of_may_have_changed():
    assert wants_fresh_machine_code("streams/intake/json_bytes.py")
    assert wants_fresh_machine_code("streams/contracts/vote.py"), "fast_decode takes a constant from it"
    assert not wants_fresh_machine_code("streams/fairness/detectors/rank_churn.py")
