"""`python -m tests.planted`: plays every scenario through the fold and writes the planted-defect table."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from tests.planted import short
from tests.planted.expected import EVERY
from tests.planted.page import replaced, table, verdict, whole
from tests.planted.play import Run, play

SHORT, WHOLE = "short form", "table"
LONG, LONG_RUNS = 1_000_000, 2
"""Scenarios of so many battles are played at most so often, because the others say more in that time."""


def run(names: list[str], count: int) -> dict[str, list[Run]]:
    """Play these scenarios with seeds from 1, with a line of progress for each run."""
    runs: dict[str, list[Run]] = {}
    began = time.monotonic()
    for number, name in enumerate(names, 1):
        runs[name] = []
        for seed in range(1, count + 1):
            runs[name].append(play(name, seed))
            if runs[name][-1].battles >= LONG and seed >= LONG_RUNS:
                break
        passed = time.monotonic() - began
        click.echo(f"{number}/{len(names)} {name}: {verdict(EVERY[name], runs[name])} ({passed:.0f} s)", err=True)
    return runs


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Seeds of each scenario.")
@click.option("--only", default="", help="Scenarios to play, separated by commas; prints their lines.")
@click.option("--short", "briefly", is_flag=True, help="The short form only, which a test compares.")
@click.option("--write", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Write into that page.")
def main(runs: int, only: str, briefly: bool, write: Path | None) -> None:
    """Plant each defect in a simulated arena, and tell which detectors fire, and after how many battles.

    The whole table takes about ten minutes of a core for each run; the short form seconds.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := [name for name in names if name not in EVERY]:
        raise click.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(EVERY)}", param_hint="--only")
    if names and (briefly or write):
        raise click.UsageError("--only prints: it goes with neither --short nor --write")
    if names:
        click.echo("\n".join(table(names, run(names, runs))))
        return
    brief = short.lines(lambda name: click.echo(f"short form: {name}", err=True))
    made = {SHORT: brief} if briefly else {WHOLE: whole(run(list(EVERY), runs), runs), SHORT: brief}
    if write is None:
        click.echo("\n\n".join("\n".join(lines) for lines in made.values()))
        return
    page = write.read_text("utf-8")
    for name, lines in made.items():
        page = replaced(page, name, lines)
    write.write_text(page, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
