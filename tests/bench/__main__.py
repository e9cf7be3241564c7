"""`python -m tests.bench`: measures the selected lines, prints a table, and optionally writes it to a file."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from tests.bench import machine
from tests.bench.lines import folding, freshness, gateway, intake, judged, memory, peers, reading, refresh
from tests.bench.place import Servers, servers
from tests.bench.report import Row, markdown, table

LINES = "abcdefghi"
BROKERS = {"embedded": ["embedded"], "kafka": ["kafka"], "both": ["kafka", "embedded"]}
VOTES = 400_000
FOLD_VOTES = 1_000_000
JUDGED_VOTES = 1_500_000
REFRESHES = 200
OFFER_SECONDS = 30.0
BURST_SECONDS = 4.0
WIDTH = 200

Measure = Callable[[], Iterator[Row]]


def plan(on: Servers, first: bool, rounds: int, quick: bool) -> dict[str, Measure]:
    """The measurements on one broker; those that do not depend on the kind of broker are made on the first only."""
    share = 5 if quick else 1
    votes = VOTES // share
    both: dict[str, Measure] = {
        "a": lambda: intake.measure(on, rounds, votes),
        "e": lambda: freshness.measure(on, OFFER_SECONDS / share),
    }
    once: dict[str, Measure] = {
        "b": lambda: peers.measure(on, rounds, votes),
        "c": lambda: folding.measure(on.place(), rounds, FOLD_VOTES // share),
        "d": lambda: refresh.measure(on.place(), REFRESHES),
        "f": lambda: gateway.measure(on, rounds, BURST_SECONDS / share),
        "g": lambda: memory.measure(on),
        "h": lambda: reading.measure(on, rounds, BURST_SECONDS / share),
        "i": lambda: judged.measure(on, rounds, JUDGED_VOTES // share),
    }
    return both | once if first else both


def run(lines: Sequence[str], kinds: Sequence[str], rounds: int, quick: bool, console: Console) -> list[Row]:
    """Measure; a line that cannot be measured becomes a row with the reason, and the others continue."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="isonomy-bench-") as scratch:
        for at, kind in enumerate(kinds):
            with servers(kind, Path(scratch) / kind) as on:
                measures = plan(on, at == 0, rounds, quick)
                for line in sorted(set(lines) & set(measures)):
                    began = time.monotonic()
                    try:
                        found = list(measures[line]())
                    except (RuntimeError, TimeoutError, OSError) as error:
                        console.print(str(error), style="red", markup=False)
                        found = [Row(line, f"on {kind}", None, "", note=str(error).splitlines()[0])]
                    took = time.monotonic() - began
                    console.print(f"({line}) on {kind} in {took:.0f} s, load {machine.load()}", style="dim")
                    rows += found
    return sorted(rows, key=lambda row: row.line)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", default=",".join(LINES), show_default=True, help="Lines to measure, separated by commas.")
@click.option("--broker", type=click.Choice(list(BROKERS)), default="both", show_default=True)
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True, help="Rounds of a comparison.")
@click.option("--quick", is_flag=True, help="A fifth of the votes and of the time: to see whether it all still runs.")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write the table there, as markdown.")
def main(only: str, broker: str, rounds: int, quick: bool, write: Path | None) -> None:
    """Measure the acceptance lines of the streams; exits with 1 when a bound is missed or a line fails."""
    lines = [line.strip() for line in only.split(",") if line.strip()]
    if unknown := [line for line in lines if line not in LINES or len(line) != 1]:
        raise click.BadParameter(f"{', '.join(unknown)}: choose one of {', '.join(LINES)}", param_hint="--only")
    before = machine.load()
    rows = run(lines, BROKERS[broker], rounds, quick, Console(stderr=True))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table(rows))
    if write is not None:
        facts = [*machine.facts(), ("load before and after", f"{before}, {machine.load()} (of this run and others)")]
        command = f"python -m tests.bench --only {','.join(lines)} --broker {broker} --rounds {rounds}"
        write.write_text(markdown(rows, facts, command + (" --quick" if quick else "")))
    if any(row.verdict in ("MISSED", "FAILED") for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
