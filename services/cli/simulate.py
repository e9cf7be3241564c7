"""`isonomy simulate`: send a simulated arena, fair or not as its scenario says, to files or a running stack."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.common import format_option, progress, read_settings
from services.cli.errors import UserError

if TYPE_CHECKING:
    from services.simulate import Simulation
    from services.simulate.records import Recorder

FUTURE = 240.0
"""Seconds into the future for which a vote's time is still safely accepted."""


@click.command("simulate")
@click.argument("scenario", required=False)
@click.option("--list", "listing", is_flag=True, help="List the built-in scenarios, and exit.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed gives the same records."
)
@click.option("--battles", type=click.IntRange(min=1), help="Number of battles; default: the scenario's.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A .jsonl file (- for standard output) for the records of both topics in order, or a directory for"
    " votes.jsonl, models.jsonl and truth.json.",
)
@click.option("--kafka", is_flag=True, help="Send to the running stack, each change of the registry at its place.")
@click.option(
    "--truth", type=click.Path(dir_okay=False, path_type=Path), help="Write which model was treated how, as JSON."
)
@click.option("--arena", help="Arena of the records; default: the scenario's.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Votes to send per second, with --kafka.")
@click.option("--now", "until_now", is_flag=True, help="Move the clock so that the last battle is now.")
@click.option("--no-wait", is_flag=True, help="Do not wait for intake at changes of the registry, with --kafka.")
@format_option
def command(
    scenario: str | None,
    listing: bool,
    seed: int,
    battles: int | None,
    out: Path | None,
    kafka: bool,
    truth: Path | None,
    arena: str | None,
    rate: float | None,
    until_now: bool,
    no_wait: bool,
    form: str,
) -> None:
    """Simulate the arena of SCENARIO, a built-in name (see --list) or a TOML file.

    In a file, or in the ledger of the stack, every change of the registry is at its exact place among the votes. For
    that, sending waits for intake before and after each change, about a second each time.
    """
    from services.simulate import ScenarioError, Simulation, World, load_scenario

    if listing:
        return _list(form)
    if scenario is None:
        raise click.UsageError("name a SCENARIO, or ask for --list")
    if (out is None) is not kafka:
        raise click.UsageError("give either --out or --kafka")
    if not kafka and (rate or no_wait):
        raise click.UsageError("--rate and --no-wait are for --kafka")
    try:
        world = World(load_scenario(scenario), seed, battles, arena)
    except ScenarioError as error:
        raise UserError(str(error)) from None
    start = time.time() - world.seconds if until_now else world.scenario.clock.start
    if kafka and start + world.seconds > time.time() + FUTURE:
        raise UserError(f"the clock of {scenario} ends in the future, and such votes are refused: use --now")
    _run(Simulation(world, start), start, out, truth, rate, no_wait, form)
    return None


def _run(
    simulation: Simulation,
    start: float,
    out: Path | None,
    truth: Path | None,
    rate: float | None,
    no_wait: bool,
    form: str,
) -> None:
    from services.simulate.files import write_directory, write_file, write_truth
    from services.simulate.records import Recorder
    from services.simulate.summary import in_words, summary

    recorder = Recorder(simulation.world, start)
    began = time.monotonic()
    with progress(f"simulating {simulation.world.scenario.name}", simulation.world.battles) as bar:
        advance = _upto(bar)
        if out is None:
            try:
                asyncio.run(_send(simulation, recorder, rate, no_wait, advance))
            except KeyboardInterrupt:
                raise UserError(
                    "interrupted; the votes sent so far stay, and sending them again counts none twice"
                ) from None
        elif _is_directory(out):
            deletions = write_directory(simulation, recorder, out, advance)
            truth = truth or out / "truth.json"
            if deletions:
                click.echo(f"note: {deletions} deletions of a model cannot be written to models.jsonl", err=True)
        else:
            write_file(simulation, recorder, out, advance)
    if truth is not None:
        write_truth(simulation.truth, truth)
    said = summary(simulation, time.monotonic() - began)
    if form == "json":
        click.echo(json.dumps(said), err=str(out) == "-")
    else:
        click.echo(in_words(said), err=True)


async def _send(
    simulation: Simulation, recorder: Recorder, rate: float | None, no_wait: bool, advance: Callable[[int], None]
) -> None:
    from services.cli.footing import require_topics
    from services.cli.send import VoteSender
    from services.simulate.kafka import KafkaStack, SendError
    from services.simulate.live import Pace, send
    from streams.contracts.topics import MODELS, VOTES

    settings = read_settings()
    await asyncio.to_thread(require_topics, settings, [VOTES.name, MODELS.name])
    try:
        async with AsyncExitStack() as stack:
            sender = await stack.enter_async_context(VoteSender(settings.kafka))
            target = await stack.enter_async_context(KafkaStack(settings.kafka, sender, wait=not no_wait))
            await send(simulation, recorder, target, Pace(rate), advance)
    except SendError as error:
        raise UserError(str(error)) from None


def _upto(bar: Callable[[int], None]) -> Callable[[int], None]:
    """Turn a callback that takes increments into one that takes the total so far."""
    done = 0

    def advance(reached: int) -> None:
        nonlocal done
        bar(reached - done)
        done = reached

    return advance


def _is_directory(path: Path) -> bool:
    return str(path) != "-" and (path.is_dir() or not path.suffix)


def _list(form: str) -> None:
    from services.simulate.summary import listing, listing_table

    if form == "json":
        click.echo(json.dumps(listing(), indent=1))
        return
    from services.cli.board_table import console_of

    console_of(sys.stdout).print(listing_table())
