"""A board that can no longer follow exits, with the cause: otherwise it would serve old data that looks live."""

import asyncio

import pytest

from services.board import app as board_app
from services.board.app import create_board
from streams.contracts.metrics import Metrics
from streams.contracts.settings import Settings

from .conftest import Dictionaries, Still


class Breaks:
    """One of what a board follows, and how it fails."""

    async def run(self) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("nobody thought of this")


@pytest.mark.parametrize("what", ["Follow", "Teller"])
async def test_a_board_ends_when_what_it_follows_by_fails(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_app, what, lambda *_: Breaks())
    ended = asyncio.Event()
    app = create_board(Settings(), Metrics(), source=Dictionaries(), new_kafka=lambda *_: Still(), end=ended.set)
    with pytest.raises(ZeroDivisionError, match="nobody thought of this"):
        async with app.router.lifespan_context(app):
            await asyncio.wait_for(ended.wait(), 10)


class Complains:
    """A client that raises something else when it is cancelled."""

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("the connection was closed") from None


async def test_a_board_that_is_told_to_end_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_app, "Follow", lambda *_: Complains())
    app = create_board(Settings(), Metrics(), source=Dictionaries(), new_kafka=lambda *_: Still(), end=lambda: None)
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0)
