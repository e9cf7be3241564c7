"""`isonomy`: all commands. Each is imported only when called, so that no command loads another's libraries."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import traceback

import click

from streams.contracts.cause import in_one_line

COMMANDS = {
    "up": ("services.cli.up", "Run the whole stack on this machine."),
    "topics": ("services.cli.topics", "Create the Kafka topics, check them, or correct their settings."),
    "worker": ("services.cli.worker", "Run a stream worker."),
    "gateway": ("services.cli.gateway", "Run the HTTP gateway, or make a key for it."),
    "board": ("services.cli.board", "Serve the page and the read API."),
    "herald": ("services.cli.herald", "Deliver alerts to subscribers."),
    "subscribe": ("services.cli.subscribe", "Your subscriptions to alerts: create, list, test, …"),
    "subscriptions": (
        "services.cli.subscriptions",
        "All subscriptions, for the operator: list, disable, allow, delete.",
    ),
    "replay": ("services.cli.replay", "Send the votes of a file or a named data set to a running stack."),
    "rate": ("services.cli.rate", "Rate the votes of a file or a named data set, without a broker."),
    "audit": ("services.cli.audit", "Fairness report of votes or of published snapshots, without a broker."),
    "simulate": ("services.cli.simulate", "Simulate an arena with scripted unfairness."),
    "alerts": ("services.cli.alerts", "List the fairness alerts that fire, and what was judged."),
    "export": ("services.cli.export", "Boards, votes and the ledger as files: CSV, Parquet."),
    "arena": ("services.cli.arena", "Stopped arenas: list them, or retry one with release."),
    "rebuild": ("services.cli.rebuild", "Drop saved states and fold the ledger again."),
    "intake": ("services.cli.intake", "Show what intake has read; let it continue past lost records."),
    "dead-letters": ("services.cli.dead_letters", "List refused records, or send them again."),
}
"""Maps a command's name to its module (with a function `command`) and its line of help."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="isonomy")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def cli(verbose: bool) -> None:
    """Live, exact leaderboards for model arenas: votes through Kafka, ratings in Redis.

    Settings come from environment variables, see docs/contracts/settings.md; `isonomy up` needs none.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # The clients log every connection, which is useful only for debugging.
    for chatty in ("aiokafka", "kafka", "faust", "mode", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.DEBUG if verbose else logging.WARNING)
    if not verbose:  # kafka-python 3.0 warns when its loop waits 0.1 s for a busy CPU: nothing to act on
        logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)


def main(arguments: list[str] | None = None) -> object:
    """Run the command line; a user's mistake ends with one sentence and exit code 1 or 2.

    Any other failure exits with 1, with its cause on the last line.
    """
    # Matrices of this size are solved two to five times slower on two threads. Must be set before numpy is loaded.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    try:
        return cli.main(args=arguments, prog_name="isonomy")
    except BrokenPipeError:  # `isonomy rate … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 -- a bug here or in a library, whose trace may end in anything
        traceback.print_exc()
        cause = in_one_line(error)
    gc.collect()  # clients left open log complaints when collected: print them before the cause, not after
    click.echo(f"Error: {cause}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
