"""Ids seen before."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from services.sources.distinct import Seen, all_different

ids = st.lists(st.lists(st.sampled_from("abcdefgh")), max_size=5)


@given(ids)
def test_only_the_first_of_each_id_is_new_however_they_are_cut(batches: list[list[str]]) -> None:
    seen = Seen()
    kept = [batch[at] for batch in batches for at in seen.new(batch)]
    everything = [each for batch in batches for each in batch]
    assert kept == list(dict.fromkeys(everything))
    assert seen.duplicates == len(everything) - len(kept)


@given(st.lists(st.integers(-5, 5)))
def test_all_are_different_when_a_set_of_them_is_as_large(numbers: list[int]) -> None:
    assert all_different(array("q", numbers)) == (len({*numbers}) == len(numbers) > 0)
