import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.fairness.fold_state import ArenaFairness
from streams.fairness.snapshot import FIELD, decode_state, encode_state
from streams.fairness.view import alerts_view, fairness_view
from streams.fold.checkpoint import DamagedState
from tests.unit.fairness.arena import equal_arena
from tests.unit.fairness.test_fold import BRISK, LEDGER

FIELDS = encode_state(LEDGER.state)


def test_a_state_read_back_is_equal_bit_for_bit() -> None:
    again = decode_state(FIELDS, BRISK)
    assert encode_state(again) == FIELDS
    assert msgspec.json.encode(fairness_view(again)) == msgspec.json.encode(fairness_view(LEDGER.state))
    assert alerts_view(again) == alerts_view(LEDGER.state)


def test_an_arena_of_which_nothing_is_known_survives() -> None:
    fields = encode_state(ArenaFairness.start("text", BRISK, position=7))
    assert decode_state(fields, BRISK).position == 7
    assert encode_state(decode_state(fields, BRISK)) == fields


@given(st.integers(0, len(FIELDS[FIELD]) - 1), st.integers(1, 255))
def test_a_flipped_byte_anywhere_is_damage(place: int, flip: int) -> None:
    damaged = bytearray(FIELDS[FIELD])
    damaged[place] ^= flip
    with pytest.raises(DamagedState):
        decode_state({FIELD: bytes(damaged)}, BRISK)


@pytest.mark.parametrize("fields", [{}, {FIELD: b""}, {FIELD: b"\0\0\0\0"}, {FIELD: FIELDS[FIELD][:-1]}])
def test_a_missing_or_cut_state_is_damage(fields: dict[str, bytes]) -> None:
    with pytest.raises(DamagedState):
        decode_state(fields, BRISK)


def test_a_state_of_other_settings_is_as_good_as_none() -> None:
    with pytest.raises(DamagedState, match="other settings"):
        decode_state(FIELDS, msgspec.structs.replace(BRISK, delta=0.1))


def test_a_notice_that_ends_a_removal_puts_the_model_in_play_at_once_and_not_only_after_a_restart() -> None:
    ledger = equal_arena(20)
    ledger.battles(5_000)
    ledger.sample("model-004", 0.0)
    ledger.battles(5_000)
    assert [alert.subject.model for alert in ledger.firing()] == ["model-004"]
    ledger.declare("model-004", status="deprecated", keep=True)
    scene = ledger.state.scene
    assert scene.play.in_play[scene.facts.roster.models["model-004"]]
    again = decode_state(encode_state(ledger.state), scene.settings)
    assert again.scene.play.in_play.tolist() == scene.play.in_play.tolist()
    assert again.scene.play.pi_play.tolist() == scene.play.pi_play.tolist()
