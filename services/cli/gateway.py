"""`isonomy gateway`: run the HTTP gateway, and make its keys."""

from __future__ import annotations

import click

from services.cli.admission import require_kafka
from services.cli.common import read_settings
from services.cli.errors import UserError


@click.group("gateway", invoke_without_command=True)
@click.option("--host", help="Address to listen on.  [ISONOMY_HOST]")
@click.option("--port", type=int, help="Port to listen on (0: any).  [ISONOMY_GATEWAY_PORT]")
@click.pass_context
def command(context: click.Context, host: str | None, port: int | None) -> None:
    """Run the HTTP gateway until SIGTERM.

    It accepts votes and model records; 202 means that Kafka has them. The file ISONOMY_API_KEYS_FILE lists the keys
    that may write; `isonomy gateway new-key` makes a line for it.
    """
    if context.invoked_subcommand is not None:
        return
    settings = read_settings(ISONOMY_HOST=host, ISONOMY_GATEWAY_PORT=None if port is None else str(port))
    from services.cli.footing import topics_beside, topics_of
    from services.cli.listening import listening
    from services.gateway.app import serve
    from streams.contracts.settings import InvalidSetting

    try:
        with listening(settings, "gateway"):
            if settings.gateway.api_keys_file is None:
                click.echo("warning: no ISONOMY_API_KEYS_FILE, so all writes are refused", err=True)
            require_kafka(settings.kafka)
            with topics_beside(settings, topics_of("gateway")):
                serve(settings)
    except InvalidSetting as error:
        raise UserError(str(error)) from None


@command.command("new-key")
@click.argument("name")
@click.option(
    "--arenas", required=True, help="Arenas it may write to (or get alerts of), separated by commas; * for all."
)
def new_key(name: str, arenas: str) -> None:
    """Make a bearer key: give the secret to its owner, put the line into the key file."""
    from services.http.api_keys import InvalidKeyFile
    from services.http.api_keys import new_key as make

    try:
        secret, line = make(name, arenas)
    except InvalidKeyFile as error:
        raise UserError(str(error)) from None
    click.echo(f"secret (shown once): {secret}")
    click.echo(f"line for the key file: {line}")
