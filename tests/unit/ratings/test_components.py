import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from streams.ratings.components import main_component, strong_components, win_graph


def same_partition(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    pairs = np.unique(np.column_stack([one, other]), axis=0)
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def edges(models: int, *pairs: tuple[int, int]) -> NDArray[np.bool_]:
    graph = np.zeros((models, models), dtype=bool)
    for i, j in pairs:
        graph[i, j] = True
    return graph


none = np.zeros


@given(st.integers(1, 12).flatmap(lambda m: arrays(bool, (m, m))))
def test_components_are_those_of_scipy(graph: NDArray[np.bool_]) -> None:
    _, expected = connected_components(csr_array(graph), directed=True, connection="strong")
    assert same_partition(strong_components(graph), expected)


@pytest.mark.parametrize("density", [0.0005, 0.001, 0.002, 0.01, 0.3])
def test_a_thousand_models_of_any_density_are_labelled_as_scipy_labels_them(density: float) -> None:
    graph = np.random.default_rng(7).random((1000, 1000)) < density
    _, expected = connected_components(csr_array(graph), directed=True, connection="strong")
    assert same_partition(strong_components(graph), expected)


def test_a_chain_of_two_thousand_models_is_two_thousand_components() -> None:
    chain = np.eye(2000, k=1, dtype=bool)
    assert strong_components(chain).tolist() == list(range(2000))


def test_a_ring_of_two_thousand_models_is_one_component() -> None:
    ring = np.roll(np.eye(2000, dtype=bool), 1, axis=1)
    assert not strong_components(ring).any()


def test_a_tournament_without_upsets_has_no_component_of_two() -> None:
    assert np.unique(strong_components(np.triu(np.ones((300, 300), dtype=bool), 1))).size == 300


def test_labels_are_numbered_by_the_lowest_index_in_each_component() -> None:
    graph = edges(5, (0, 4), (4, 0), (1, 3), (3, 1))
    assert strong_components(graph).tolist() == [0, 1, 2, 1, 0]


def test_no_models_have_no_components() -> None:
    assert strong_components(np.zeros((0, 0), np.bool_)).size == 0
    assert main_component(none((0, 0)), none((0, 0))).size == 0


def test_a_draw_is_an_edge_both_ways_whichever_side_it_was_counted_on() -> None:
    draws = edges(2, (0, 1)).astype(int)
    assert win_graph(none((2, 2)), draws).tolist() == [[False, True], [True, False]]


def test_the_largest_component_is_main() -> None:
    wins = edges(5, (0, 1), (1, 0), (2, 3), (3, 4), (4, 2)).astype(int)
    assert main_component(wins, none((5, 5))).tolist() == [False, False, True, True, True]


def test_of_two_equal_components_the_one_with_more_votes_is_main() -> None:
    wins = edges(4, (0, 1), (1, 0), (2, 3), (3, 2)).astype(int)
    wins[2, 3] = 2
    assert main_component(wins, none((4, 4))).tolist() == [False, False, True, True]


def test_a_draw_is_one_vote_when_equal_components_are_compared() -> None:
    wins, draws = 2 * edges(4, (2, 3), (3, 2)).astype(int), 3 * edges(4, (0, 1), (1, 0)).astype(int)
    assert main_component(wins, draws).tolist() == [False, False, True, True]  # four votes against three


def test_of_two_equal_components_with_equal_votes_the_one_with_the_lowest_index_is_main() -> None:
    wins = edges(4, (0, 3), (3, 0), (1, 2), (2, 1)).astype(int)
    assert main_component(wins, none((4, 4))).tolist() == [True, False, False, True]


def test_a_single_model_is_never_main() -> None:
    assert not main_component(edges(3, (0, 1), (1, 2)).astype(int), none((3, 3))).any()
