"""`isonomy herald`: deliver alerts to subscribers."""

from __future__ import annotations

import click

from services.cli.admission import require_kafka
from services.cli.common import read_settings
from services.cli.errors import UserError


@click.command("herald")
@click.option("--host", help="Address of /metrics, /healthz and /readyz.  [ISONOMY_HOST]")
@click.option("--port", type=int, help="Their port (0: any).  [ISONOMY_HERALD_PORT]")
def command(host: str | None, port: int | None) -> None:
    """Deliver alerts to subscribers until SIGTERM.

    Start two for safety: Kafka chooses one, the other is on standby. `isonomy subscribe` and the board's API manage
    the subscriptions.
    """
    settings = read_settings(ISONOMY_HOST=host, ISONOMY_HERALD_PORT=None if port is None else str(port))
    from services.cli.footing import topics_beside, topics_of
    from services.cli.listening import listening
    from services.herald.app import serve
    from streams.contracts.settings import InvalidSetting
    from streams.contracts.topics import HERALD_GROUP

    try:
        with listening(settings, "herald"):
            require_kafka(settings.kafka)
            with topics_beside(settings, topics_of("herald"), [HERALD_GROUP]):
                serve(settings)
    except InvalidSetting as error:
        raise UserError(str(error)) from None
