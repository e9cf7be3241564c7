"""`isonomy simulate`: send a simulated arena, fair or not as its scenario says, to files or a running stack."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.common import format_option, progress, read_settings
from services.cli.errors import UserError
from services.cli.output import force_option, require_writable, whole

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
@force_option
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
    force: bool,
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
    from services.simulate.files import write_truth
    from services.simulate.records import Recorder
    from services.simulate.summary import in_words, summary

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
    records = [] if out is None or str(out) == "-" else _records(out)
    if len(records) > 1 and out is not None:
        truth = truth or out / "truth.json"
    _require_writable(records, truth, scenario, force=force)
    simulation, recorder = Simulation(world, start), Recorder(world, start)
    began = time.monotonic()
    with progress(f"simulating {world.scenario.name}", world.battles) as bar:
        if kafka:
            _send_all(simulation, recorder, rate, no_wait, _upto(bar))
        else:
            _write(simulation, recorder, records, _upto(bar), force=force)
    if truth is not None:
        with whole(truth, force=force) as made:
            write_truth(simulation.truth, made)
    said = summary(simulation, time.monotonic() - began)
    if form == "json":
        click.echo(json.dumps(said), err=str(out) == "-")
    else:
        click.echo(in_words(said), err=True)
    return None


def _records(out: Path) -> list[Path]:
    """Return the file of both topics, or the votes and the models of a directory, which is made."""
    directory = out.is_dir() or not out.suffix
    if not directory and out.suffix != ".jsonl":
        raise UserError(f"--out {out}: give a file that ends in .jsonl, a directory (a name without a dot), or -")
    try:
        (out if directory else out.parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from None
    return [out / "votes.jsonl", out / "models.jsonl"] if directory else [out]


def _require_writable(records: list[Path], truth: Path | None, scenario: str, *, force: bool) -> None:
    """Raise `UserError` where a file would replace another, without --force, or the scenario or a file of the run."""
    if truth is not None and truth.resolve() in {path.resolve() for path in records}:
        raise UserError(f"--truth {truth}: the records are written there: name another file")
    for path in (*records, *([] if truth is None else [truth])):
        require_writable(path, force=force, read=[("SCENARIO", Path(scenario))])


def _write(
    simulation: Simulation, recorder: Recorder, records: list[Path], advance: Callable[[int], None], *, force: bool
) -> None:
    """Write both topics to one file, votes and models to two, or, without a file, both topics to standard output."""
    from services.simulate.files import write_file, write_files

    with ExitStack() as stack:
        made = [stack.enter_context(whole(path, force=force)) for path in records]
        if len(made) < 2:
            write_file(simulation, recorder, made[0] if made else Path("-"), advance)
            return
        deletions = write_files(simulation, recorder, made[0], made[1], advance)
    if deletions:
        click.echo(f"note: {deletions} deletions of a model cannot be written to models.jsonl", err=True)


def _send_all(
    simulation: Simulation, recorder: Recorder, rate: float | None, no_wait: bool, advance: Callable[[int], None]
) -> None:
    try:
        asyncio.run(_send(simulation, recorder, rate, no_wait, advance))
    except KeyboardInterrupt:
        raise UserError("interrupted; the votes sent so far stay, and sending them again counts none twice") from None


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


def _list(form: str) -> None:
    from services.simulate.summary import listing, listing_table

    if form == "json":
        click.echo(json.dumps(listing(), indent=1))
        return
    from services.cli.board_table import console_of

    console_of(sys.stdout).print(listing_table())
