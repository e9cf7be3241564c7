"""`isonomy board`: the page and the read API."""

from __future__ import annotations

import click

from services.cli.admission import require_kafka, require_redis
from services.cli.common import read_settings
from services.cli.errors import UserError


@click.command("board")
@click.option("--host", help="Address to listen on.  [ISONOMY_HOST]")
@click.option("--port", type=int, help="Port to listen on (0: any).  [ISONOMY_BOARD_PORT]")
def command(host: str | None, port: int | None) -> None:
    """Serve the page and the read API until SIGTERM.

    It only reads: leaderboards and fairness from Redis, ended alerts from Kafka. Any number of boards may run.
    """
    settings = read_settings(ISONOMY_HOST=host, ISONOMY_BOARD_PORT=None if port is None else str(port))
    from services.board.app import serve
    from services.cli.footing import topics_beside, topics_of
    from services.cli.listening import listening
    from streams.contracts.settings import InvalidSetting

    try:
        with listening(settings, "board"):
            require_kafka(settings.kafka)
            require_redis(settings.redis)
            with topics_beside(settings, topics_of("board")):
                serve(settings)
    except InvalidSetting as error:
        raise UserError(str(error)) from None
