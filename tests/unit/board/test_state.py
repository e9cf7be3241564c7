"""The status of the stream: live, behind or gone, since when; it is sent only when it changes."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from services.board.cache import HeldArena, Views
from services.board.sse_hub import Client, Hub
from services.board.stream_status import REPEAT_SECONDS, Teller
from streams.contracts.metrics import Metrics
from streams.contracts.stopped import Stopped

from .conftest import Still


@dataclass
class Scene:
    views: Views
    kafka: Still
    teller: Teller
    client: Client
    metrics: Metrics

    def look(self, at: float) -> list[dict[str, Any]]:
        """The stream status of the arena `text` at `at` seconds."""
        self.teller.look(1000.0 + at, 50_000.0 + at)
        texts = [text for text in self.client.waiting if b"event: stream" in text]
        self.client.waiting.clear()
        return [msgspec.json.decode(text.split(b"data: ")[1]) for text in texts]


@pytest.fixture
def scene() -> Scene:
    views, kafka, metrics = Views(0.0), Still(), Metrics()
    hub = Hub(metrics.board_clients, metrics.board_clients_cut)
    teller = Teller(views, kafka, hub, metrics.board_age)
    client = hub.join("text")
    client.waiting.clear()
    views.gone_since = None
    views.arenas |= {"text": HeldArena(), "vision": HeldArena()}
    return Scene(views, kafka, teller, client, metrics)


def test_live_is_told_once(scene: Scene) -> None:
    assert scene.look(0.0) == [{"state": "live", "since": 50_000.0}]
    assert scene.look(1.0) == scene.look(100.0) == []


def test_behind_says_by_how_much_since_when_and_now_and_then_again(scene: Scene) -> None:
    scene.look(0.0)
    scene.kafka.lag = 4.0
    assert scene.look(4.0) == []
    scene.kafka.lag = 6.0
    assert scene.look(6.0) == [{"state": "behind", "since": 50_000.0, "lag": 6.0}]
    scene.kafka.lag = 7.0
    assert scene.look(7.0) == []
    scene.kafka.lag = 6.0 + REPEAT_SECONDS
    assert scene.look(6.0 + REPEAT_SECONDS) == [{"state": "behind", "since": 50_000.0, "lag": 11.0}]
    scene.kafka.lag = 0.0
    assert scene.look(20.0) == [{"state": "live", "since": 50_020.0}]


def test_what_is_shown_while_votes_wait_is_said_to_be_so_old(scene: Scene) -> None:
    scene.kafka.lag = 4.0
    scene.look(4.0)
    assert scene.views.staleness(1004.0, 0.0, "text") == 0.0
    scene.kafka.lag = 90.0
    scene.look(90.0)
    assert scene.views.staleness(1090.0, 0.0, "text") == 90.0
    assert scene.views.staleness(1090.2, 0.0) == pytest.approx(90.2)  # of the list of arenas
    scene.kafka.lag = 0.5
    scene.look(91.0)
    assert scene.views.staleness(1091.0, 0.0, "text") == 0.0


def test_gone_says_who_and_since_when(scene: Scene) -> None:
    scene.look(0.0)
    scene.views.gone_since = 1003.0
    assert scene.look(5.0) == [{"state": "gone", "since": 50_003.0, "away": "redis"}]
    assert scene.metrics.registry.get_sample_value("isonomy_board_age_seconds") == 2.0
    scene.views.gone_since, scene.kafka.away = None, "Kafka is away"
    assert scene.look(6.0) == [{"state": "gone", "since": 50_006.0, "away": "kafka"}]
    assert scene.metrics.registry.get_sample_value("isonomy_board_age_seconds") == 0.0


def test_before_kafka_was_asked_nothing_is_live(scene: Scene) -> None:
    scene.kafka.away, scene.kafka.asked, scene.kafka.lag = "not reached yet", False, None
    assert scene.look(0.0) == [{"state": "connecting", "since": 50_000.0}]
    scene.kafka.away, scene.kafka.asked, scene.kafka.lag = None, True, 0.0
    assert scene.look(1.0) == [{"state": "live", "since": 50_001.0}]


def test_one_slow_arena_is_behind_and_the_others_are_live(scene: Scene) -> None:
    scene.kafka.lags["vision"] = 40.0
    assert scene.look(0.0)[0]["state"] == "live"
    assert scene.views.staleness(1000.0, 0.0, "text") == 0.0
    assert scene.views.staleness(1000.0, 0.0, "vision") == 40.0
    assert scene.views.staleness(1000.0, 0.0) == 40.0


def test_an_arena_that_stands_still_is_not_live(scene: Scene) -> None:
    scene.look(0.0)
    scene.views.arenas["text"].stopped = {"ratings": Stopped(49_900.0, "the operator's")}
    assert scene.look(1.0) == [{"state": "stopped", "since": 49_900.0, "stage": "ratings"}]
    scene.views.arenas["text"].stopped = {}
    scene.views.arenas["text"].unreadable = {"the fairness view": 990.0, "language:German": 900.0}
    assert scene.look(2.0) == [{"state": "stopped", "since": 49_990.0, "stage": "fairness"}]
    scene.views.arenas["text"].unreadable = {"language:German": 900.0}
    assert scene.look(3.0) == [{"state": "live", "since": 50_003.0}]


def test_a_view_that_lacks_what_the_other_counts_is_old_whatever_the_lag_says(scene: Scene) -> None:
    scene.look(0.0)
    scene.views.arenas["text"].outrun = {"ratings": 1000.0}
    assert scene.look(4.0) == []
    assert scene.look(6.0) == [{"state": "behind", "since": 50_000.0, "lag": 6.0, "stage": "ratings"}]
    assert scene.views.staleness(1006.0, 0.0, "text") == 6.0
    scene.views.arenas["text"].outrun = {}
    assert scene.look(7.0) == [{"state": "live", "since": 50_007.0}]


def test_who_comes_is_told_the_state_of_its_own_arena(scene: Scene) -> None:
    scene.kafka.lags["vision"] = 40.0
    scene.look(0.0)
    hub = Hub(scene.metrics.board_clients, scene.metrics.board_clients_cut)
    assert b'"connecting"' in b"".join(hub.join("vision").waiting)  # nobody has looked yet
    teller = Teller(scene.views, scene.kafka, hub, scene.metrics.board_age)
    teller.look(1000.0, 50_000.0)
    assert b'"behind"' in b"".join(hub.join("vision").waiting)
    assert b'"live"' in b"".join(hub.join("text").waiting)
    del scene.views.arenas["vision"]
    teller.look(1001.0, 50_001.0)
    assert b'"connecting"' in b"".join(hub.join("vision").waiting)
