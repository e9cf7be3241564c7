"""Which models can be compared at all: strongly connected components of the win graph.

A finite Bradley-Terry maximum exists if and only if every model can be reached from every other along edges
"beat or drew with" [1]_. So components are found first, and the fit is restricted to one of them.

The search is Kosaraju's algorithm on rows packed into Python integers: one machine word holds 64 edges and every model
is pushed and popped once per direction, so the number of Python steps is O(M) for any graph, a chain or a tournament
included, and the work is O(M²/64).

References
----------
.. [1] L. R. Ford Jr., "Solution of a ranking problem from binary comparisons", Amer. Math. Monthly 64 (1957).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.ratings.newton import VoteMatrix


def strong_components(edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label the strongly connected components of a directed graph.

    Parameters
    ----------
    edges
        bool[M, M]; ``edges[i, j]`` is an edge from i to j. The diagonal is ignored.

    Returns
    -------
    int64[M] labels 0, 1, 2, ... in the order of each component's lowest index.

    Examples
    --------
    >>> beat = np.zeros((4, 4), dtype=bool)
    >>> beat[0, 1] = beat[1, 2] = beat[2, 1] = True
    >>> strong_components(beat).tolist()
    [0, 1, 1, 2]
    """
    models = edges.shape[0]
    labels = np.zeros(models, dtype=np.int64)
    if models == 0 or (_reached(edges).all() and _reached(edges.T).all()):
        return labels
    predecessors = _rows(edges.T)
    unseen = (1 << models) - 1
    for root in reversed(_finishing_order(_rows(edges))):
        if not unseen >> root & 1:
            continue
        unseen ^= 1 << root
        members, frontier = [root], predecessors[root] & unseen
        while frontier:
            lowest = frontier & -frontier
            unseen ^= lowest
            members.append(lowest.bit_length() - 1)
            frontier = (frontier | predecessors[members[-1]]) & unseen
        labels[members] = min(members)
    numbered: NDArray[np.int64] = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return numbered


def win_graph(wins: VoteMatrix, draws: VoteMatrix) -> NDArray[np.bool_]:
    """Edges "beat or drew with": bool[M, M]; a draw, whichever side it is counted on, is an edge both ways."""
    drew = draws > 0
    edges: NDArray[np.bool_] = (wins > 0) | drew | drew.T
    return edges


def main_component(wins: VoteMatrix, draws: VoteMatrix) -> NDArray[np.bool_]:
    """Return the mask of the win graph's largest strongly connected component, the only one that is ranked.

    Ties are broken by the votes inside the component, then by the lowest index, so that the choice is a function of
    the counts alone. A component needs two models; without one the mask is empty.

    Parameters
    ----------
    wins, draws
        [M, M] counts, wins of row over column; draws symmetric.

    Returns
    -------
    bool[M]

    Examples
    --------
    >>> wins = np.array([[0, 3, 5], [1, 0, 5], [0, 0, 0]])
    >>> main_component(wins, np.zeros((3, 3))).tolist()
    [True, True, False]
    """
    first, second = np.nonzero(wins + draws)
    votes = wins[first, second] + draws[first, second] / 2
    return largest_component(strong_components(win_graph(wins, draws)), first, second, votes)


def largest_component(
    labels: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    votes: NDArray[np.integer | np.floating],
) -> NDArray[np.bool_]:
    """:func:`main_component` from the labels of `strong_components` and the votes of each pair.

    Parameters
    ----------
    labels
        int64[M].
    first, second, votes
        [P] models that met, and votes between them.
    """
    sizes = np.bincount(labels, minlength=1)
    largest = np.flatnonzero(sizes == sizes.max())
    if sizes.max() < 2:
        return np.zeros(labels.size, dtype=np.bool_)
    if largest.size > 1:
        inside = labels[first] == labels[second]
        total = np.bincount(labels[first[inside]], votes[inside], minlength=sizes.size)
        largest = largest[[int(np.argmax(total[largest]))]]
    return np.asarray(labels == largest[0], dtype=np.bool_)


def _reached(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    # From model 0, in at most four steps: enough to recognise a busy arena, which is one, nearly complete, component.
    reached = np.array(edges[0], dtype=np.bool_)
    reached[0] = True
    for _ in range(3):
        if reached.all():
            break
        reached |= edges[reached].any(axis=0)
    return reached


def _rows(edges: NDArray[np.bool_]) -> list[int]:
    packed = np.packbits(edges, axis=1, bitorder="little")
    width, everything = packed.shape[1], packed.tobytes()
    return [int.from_bytes(everything[at : at + width], "little") for at in range(0, len(everything), width)]


def _finishing_order(successors: list[int]) -> list[int]:
    unseen = (1 << len(successors)) - 1
    order: list[int] = []
    while unseen:
        lowest = unseen & -unseen
        unseen ^= lowest
        path = [lowest.bit_length() - 1]
        while path:
            onward = successors[path[-1]] & unseen
            if onward:
                lowest = onward & -onward
                unseen ^= lowest
                path.append(lowest.bit_length() - 1)
            else:
                order.append(path.pop())
    return order
