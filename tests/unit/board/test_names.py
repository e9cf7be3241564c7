"""What the board holds of names, for who subscribes: all that an arena shows, and whether that is all."""

import msgspec

from services.board.app import shown_names
from services.board.cache import Views
from tests.support.eventually import eventually_async
from tests.support.views import board, fairness_view

from .conftest import TestBoard


async def test_names_of_boards_and_registries_of_all_arenas_or_of_one(running: TestBoard) -> None:
    view = msgspec.json.decode(fairness_view("elm"))
    view["providers"] = [{"name": "Oak"}]
    running.source.boards["code"] = {"overall": board("fir", arena="code")}
    running.source.judged["code"] = (msgspec.json.encode(view), None)
    running.source.say({"arena": "code", "boards": ["overall"], "ledger": 1, "fairness": True})
    await eventually_async(lambda: "code" in running.views.arenas and running.views.arenas["code"].fairness is not None)
    names = await shown_names(running.views, "code")
    assert names is not None
    assert (names.arenas, names.models, names.providers, names.whole) == (
        {"text", "code"},
        {"fir", "elm"},
        {"Oak"},
        True,
    )
    everywhere = await shown_names(running.views, None)
    assert everywhere is not None
    assert {"fir", "elm", "ash"} <= set(everywhere.models)


async def test_what_cannot_be_read_leaves_out_names_and_says_so(running: TestBoard) -> None:
    running.views.arenas["text"].fairness = None
    names = await shown_names(running.views, "text")
    assert names is not None
    assert "ash" in names.models
    assert not names.whole


async def test_before_anything_is_read_nothing_is_known() -> None:
    assert await shown_names(Views(0.0), None) is None
