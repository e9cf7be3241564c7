"""What is said of the stream: live, behind or gone, since when, and only when it changes."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from services.board.hub import Client, Hub
from services.board.state import REPEAT_SECONDS, Teller
from services.board.views import Views
from streams.contracts.metrics import Metrics

from .conftest import Still


@dataclass
class Scene:
    views: Views
    kafka: Still
    teller: Teller
    client: Client
    metrics: Metrics

    def look(self, at: float) -> list[dict[str, Any]]:
        """What is told when one looks `at` seconds later."""
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
    assert scene.views.staleness(1004.0, 0.0) == 0.0
    scene.kafka.lag = 90.0
    scene.look(90.0)
    assert scene.views.staleness(1090.0, 0.0) == 90.0
    assert scene.views.staleness(1090.2, 0.0) == pytest.approx(90.2)
    scene.kafka.lag = 0.5
    scene.look(91.0)
    assert scene.views.staleness(1091.0, 0.0) == 0.0


def test_gone_says_who_and_since_when(scene: Scene) -> None:
    scene.look(0.0)
    scene.views.gone_since = 1003.0
    assert scene.look(5.0) == [{"state": "gone", "since": 50_003.0, "away": "redis"}]
    assert scene.metrics.registry.get_sample_value("isonomy_board_age_seconds") == 2.0
    scene.views.gone_since, scene.kafka.away = None, "Kafka is away"
    assert scene.look(6.0) == [{"state": "gone", "since": 50_006.0, "away": "kafka"}]
    assert scene.metrics.registry.get_sample_value("isonomy_board_age_seconds") == 0.0


def test_kafka_that_was_not_asked_yet_is_not_away(scene: Scene) -> None:
    scene.kafka.away, scene.kafka.asked, scene.kafka.lag = "not reached yet", False, None
    assert scene.look(0.0)[0]["state"] == "live"
