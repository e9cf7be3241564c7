import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streams.contracts.alert import Kind, Severity, Status, Subject
from streams.fairness.detectors.silence import Rhythm, silence
from streams.fairness.settings import FairnessSettings
from streams.fairness.silence_alert import tell_silence
from tests.unit.fairness.arena import equal_arena

SETTINGS = FairnessSettings()
DAY = 86_400


def rhythm_of(times: NDArray[np.int64] | NDArray[np.float64]) -> Rhythm:
    rhythm = Rhythm()
    rhythm.hear((np.asarray(times, float) * 1000).astype(np.int64))
    return rhythm


def nights(days: int, start: int = 0) -> NDArray[np.float64]:
    """Records each minute from 8 to 20 o'clock."""
    return np.concatenate([start + day * DAY + np.arange(8 * 3_600, 20 * 3_600, 60) for day in range(1, days + 1)])


def test_a_busy_arena_is_missed_after_a_quarter_of_an_hour() -> None:
    times = np.arange(DAY, 3 * DAY, 10)
    rhythm = rhythm_of(times)
    assert silence(rhythm, times[-1] + 899, SETTINGS, "7.0") is None
    verdict = silence(rhythm, times[-1] + 901, SETTINGS, "7.0")
    assert (verdict.subject, verdict.severity, verdict.onset) == (Subject(), Severity.CRITICAL, "7.0")
    assert verdict.starts_at == times[-1]
    assert verdict.evidence == {"cause": "silence", "silent_seconds": 901, "usual_seconds": 900}


def test_a_quiet_night_is_usual_once_it_is_known() -> None:
    times = nights(3)
    rhythm = rhythm_of(times)
    assert silence(rhythm, times[-1] + 12 * 3_600, SETTINGS, "0.0") is None
    assert silence(rhythm, times[-1] + 37 * 3_600, SETTINGS, "0.0") is not None


def test_one_outage_does_not_make_outages_usual() -> None:
    times = np.concatenate([np.arange(DAY, 1.4 * DAY, 10), np.arange(1.9 * DAY, 4 * DAY, 10)])
    assert silence(rhythm_of(times), 4 * DAY + 1_000, SETTINGS, "0.0") is not None


def test_an_arena_that_has_just_begun_is_given_an_hour() -> None:
    rhythm = rhythm_of(np.arange(DAY, DAY + 600, 1))
    assert silence(rhythm, DAY + 600 + 3_590, SETTINGS, "0.0") is None
    assert silence(rhythm, DAY + 600 + 3_610, SETTINGS, "0.0") is not None


def test_an_arena_without_records_is_not_silent() -> None:
    assert silence(Rhythm(), 1e9, SETTINGS, "0.0") is None


@given(st.lists(st.integers(0, 10 * DAY * 1000), min_size=1, max_size=50), st.lists(st.integers(0, 50), max_size=5))
def test_a_rhythm_is_a_function_of_the_rows_and_not_of_the_blocks(times, cuts) -> None:
    whole, parts = Rhythm(), Rhythm()
    recorded = np.array(times, np.int64) + 1
    whole.hear(recorded)
    for part in np.split(recorded, sorted(cuts)):
        parts.hear(part)
    assert (whole.last, whole.day, whole.longest.tolist()) == (parts.last, parts.day, parts.longest.tolist())


def test_the_watcher_tells_a_silence_once_and_its_end_once() -> None:
    ledger = equal_arena(5)
    ledger.battles(200_000)
    quiet = ledger.clock
    assert tell_silence(ledger.state, None, quiet + 600) is None
    told = tell_silence(ledger.state, None, quiet + 1_000)
    assert (told.kind, told.status, told.detected_at) == (Kind.FEED_STALLED, Status.FIRING, quiet + 1_000)
    assert told.starts_at == pytest.approx(quiet, abs=0.01)
    assert told.id.endswith("-200000.5")
    assert tell_silence(ledger.state, told, quiet + 2_000) is None
    ledger.clock += 3_000
    ledger.battles(100)
    over = tell_silence(ledger.state, told, ledger.clock)
    assert (over.id, over.status) == (told.id, Status.RESOLVED)
    assert over.ends_at > quiet + 3_000
    assert ledger.alerts == []  # no removals: a vote clock stands still in a silence


def test_a_second_silence_is_another_alert() -> None:
    ledger = equal_arena(5)
    ledger.battles(200_000)
    first = tell_silence(ledger.state, None, ledger.clock + 1_000)
    ledger.battles(100)
    second = tell_silence(ledger.state, None, ledger.clock + 1_000)
    assert first.fingerprint == second.fingerprint
    assert first.id != second.id
