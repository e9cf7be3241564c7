"""`python -m tests.crash.reliability`: runs the long suites, stores results as JSON, fills docs/reliability.md.

Each part writes `.isonomy/reliability/NAME.json`; its tables are in the document between two comments with its name,
and everything else in it is written by hand.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from tests.bench import machine
from tests.crash import transactional
from tests.crash.chaos import Plan, run
from tests.crash.faults import CATALOGUE
from tests.crash.soak import measure
from tests.support.kafka_jars import kafka_version

RESULTS = Path(".isonomy/reliability")
VOTES = int(os.environ.get("ISONOMY_CHAOS_VOTES", "1000000"))
FAULTS = int(os.environ.get("ISONOMY_CHAOS_FAULTS", "300"))
SEED = int(os.environ.get("ISONOMY_CHAOS_SEED", "1"))
MINUTES = float(os.environ.get("ISONOMY_CHAOS_MINUTES", "240"))
NAMED = os.environ.get("ISONOMY_CHAOS_KINDS", "all")
KINDS = () if NAMED == "all" else tuple(NAMED.split(","))

Measure = Callable[[Path], dict[str, Any]]
Render = Callable[[Mapping[str, Any]], str]


def chaos(directory: Path) -> dict[str, Any]:
    """Run the long chaos run; its logs stay in the directory."""
    os.environ.setdefault("ISONOMY_TEST_BROKER", "kafka3")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    prefix = f"chaos{secrets.token_hex(3)}"
    result = run(
        Plan(VOTES, FAULTS, SEED, KINDS, MINUTES), directory, prefix, lambda text: print(text, file=sys.stderr)
    )
    path = directory.with_suffix(".json")
    result.write(path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found | {"machine": dict(machine.facts()) | {"Apache Kafka": kafka_version()}}


def render_chaos(found: Mapping[str, Any]) -> str:
    """Markdown of the run's figures, and of recovery by kind of fault.

    Parameters
    ----------
    found
        What `chaos` returned.
    """
    figures, plan = found["figures"], found["plan"]
    lines = [
        f"Seed {plan['seed']}, broker `{found['broker']}`, {len(found['done'])} faults of "
        f"{len(found['recoveries'])} kinds in {figures['seconds'] / 60:.0f} minutes.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in found["machine"].items()),
        *(f"| {name} | {figures[name]:,} |" for name in SHOWN),
        "",
        "Against the promises: " + ("" if found["findings"] else "nothing."),
        "",
        *(f"- {finding}" for finding in found["findings"]),
        "",
        *_regresses(figures["regresses"]),
        "| kind | what is done | times | recovery, median s | longest s |",
        "| --- | --- | --: | --: | --: |",
    ]
    for each in found["recoveries"]:
        seconds = [("not in time" if each[name] is None else f"{each[name]:.1f}") for name in ("median", "longest")]
        about = CATALOGUE[each["kind"]].about
        lines.append(f"| `{each['kind']}` | {about} | {each['times']} | {' | '.join(seconds)} |")
    lines += [f"| `{kind}` | {CATALOGUE[kind].about} | 0 | needs {need} | |" for kind, need in found["lacking"].items()]
    return "\n".join(lines)


def _regresses(table: list[dict[str, Any]]) -> list[str]:
    if not table:
        return []
    lines = ["", "| boards that ran backwards during | what fell | times | at most by | longest s |"]
    lines.append("| --- | --- | --: | --: | --: |")
    for each in table:
        longest = "for good" if each["longest"] is None else f"{each['longest']:.1f}"
        lines.append(f"| `{each['during']}` | {each['what']} | {each['times']} | {each['deepest']:,} | {longest} |")
    return [*lines, ""]


SHOWN = (
    "sent",
    "acknowledged",
    "aborted",
    "records in votes",
    "records in ledger",
    "votes counted",
    "votes counted that were not acknowledged",
    "alerts told",
    "alerts of the replay",
    "deliveries acknowledged",
    "boards looked at",
)
"""The figures of a chaos run that the document shows."""

SOAK_BROKERS = os.environ.get("ISONOMY_SOAK_BROKERS", "embedded,kafka").split(",")
SOAK_MINUTES = float(os.environ.get("ISONOMY_SOAK_MINUTES", "30"))
SOAK_PACE = int(os.environ.get("ISONOMY_SOAK_PACE", "10000"))
PLOTS = Path("docs/images/reliability")


def soaks(directory: Path) -> dict[str, Any]:
    """Run the soak on each broker; the plots go into the docs."""
    shutil.rmtree(directory, ignore_errors=True)
    told = [
        measure(broker, SOAK_MINUTES, SOAK_PACE, directory, PLOTS / f"soak-{broker}.png") for broker in SOAK_BROKERS
    ]
    return {"soaks": told, "findings": [line for each in told for line in each["exits"]]}


def render_soaks(found: Mapping[str, Any]) -> str:
    """Markdown of the soaks' figures and plots.

    Parameters
    ----------
    found
        What `soaks` returned.
    """
    lines = [
        "| broker | votes | votes/s | freshness p99, first window | last window | most lag | worker, MiB | exits |",
        "| --- | --: | --: | --: | --: | --: | --- | --: |",
    ]
    for each in found["soaks"]:
        windows = [("unknown" if value is None else f"{value:.2f} s") for value in each["freshness p99 by window"]]
        memory = " → ".join(f"{those['worker']:.0f}" for those in each["memory"].values() if "worker" in those)
        lag = "unknown" if each["most lag"] is None else f"{each['most lag']:,.0f}"
        first, last = (windows[0], windows[-1]) if windows else ("unknown", "unknown")
        figures = f"{each['sent']:,} | {each['pace']:,} | {first} | {last} | {lag} | {memory} | {len(each['exits'])}"
        lines.append(f"| {each['broker']} | {figures} |")
    first_soak = found["soaks"][0]
    lines += [
        "",
        f"{first_soak['minutes']:g} minutes each, {first_soak['boards']} boards, windows of "
        f"{first_soak['window seconds']:.0f} s; the worker's memory after a third, two thirds, and in the end. "
        f"{first_soak['machine']['processor']}, {first_soak['machine']['date']}.",
        "",
    ]
    lines += [f"![{each['broker']}](images/reliability/soak-{each['broker']}.png)" for each in found["soaks"]]
    return "\n".join(lines)


SILENCE = float(os.environ.get("ISONOMY_SILENCE_MINUTES", "10"))


def transactions(directory: Path) -> dict[str, Any]:
    """Compare votes in transactions with plain votes."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return transactional.measure(directory, SILENCE)


def render_transactions(found: Mapping[str, Any]) -> str:
    """Markdown of the ages of votes by round, and of the findings.

    Parameters
    ----------
    found
        What `transactions` returned.
    """
    pairs = enumerate(zip(found["plain p99"], found["transactions p99"], strict=True), start=1)
    lines = [
        "| round | p99 of plain votes, s | p99 of votes in transactions, s | ratio |",
        "| --: | --: | --: | --: |",
        *(f"| {number} | {plain:.3f} | {bound:.3f} | {bound / plain:.2f} |" for number, (plain, bound) in pairs),
        "",
        f"Median of the ratios {found['ratio']:.2f}. {found['votes']:,} votes, {found['silence minutes']:g} minutes "
        f"of silence. {found['machine']['processor']}, {found['machine']['date']}.",
        "",
        "Against the promises: " + ("" if found["findings"] else "nothing."),
        *(f"- {finding}" for finding in found["findings"]),
    ]
    return "\n".join(lines)


SEEDS = os.environ.get("ISONOMY_SIMULATION_SEEDS", "10000")
MODELS = ["cargo", "run", "--release", "--quiet", "--manifest-path", "tests/models/Cargo.toml"]


def run_program(argv: list[str]) -> dict[str, Any]:
    """Run one of our programs; keeps its output, which becomes the findings if its exit code is not 0."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(Path(".isonomy/models").absolute()), "PYTHONHASHSEED": "0"}
    began = time.monotonic()
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    told = done.stdout.rstrip().splitlines()
    findings = [] if done.returncode == 0 else [*told[-20:], *done.stderr.splitlines()[-20:]]
    return {"told": told, "seconds": time.monotonic() - began, "findings": findings}


def render_told(found: Mapping[str, Any]) -> str:
    """Markdown of a program's output, verbatim.

    Parameters
    ----------
    found
        What `run_program` returned.
    """
    return "\n".join(["```text", *found["told"], "```", "", f"In {found['seconds']:.0f} seconds."])


PARTS: dict[str, tuple[Measure, Render]] = {
    "models": (lambda _: run_program(MODELS), render_told),
    "mutants": (lambda _: run_program([sys.executable, "-m", "tests.simulation", "--mutants"]), render_told),
    "simulation": (
        lambda _: run_program([sys.executable, "-m", "tests.simulation", "--seeds", SEEDS]),
        render_told,
    ),
    "transactions": (transactions, render_transactions),
    "chaos": (chaos, render_chaos),
    "soak": (soaks, render_soaks),
}
"""Part to the function that measures it, given a directory for logs, and the function that renders its result."""


def put(text: str, name: str, table: str) -> str:
    """Put a part's tables between its two comments.

    >>> put("a\\n<!-- x:begin -->\\nold\\n<!-- x:end -->\\nb\\n", "x", "new")
    'a\\n<!-- x:begin -->\\n\\nnew\\n\\n<!-- x:end -->\\nb\\n'
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if begin not in text or end not in text:
        raise ValueError(f"there is no place for {name}: {begin} and {end} are missing")
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{table}\n\n{end}", text, flags=re.DOTALL
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", default=",".join(PARTS), show_default=True, help="Parts to measure, comma separated; '': none.")
@click.option(
    "--write", type=click.Path(dir_okay=False, path_type=Path), help="Put every result there is into this document."
)
def main(only: str, write: Path | None) -> None:
    """Measure the parts asked for, and write their tables; exits with 1 when a promise did not hold."""
    chosen = [name for name in only.split(",") if name]
    if unknown := set(chosen) - PARTS.keys():
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: choose one of {', '.join(PARTS)}", param_hint="--only")
    ill = False
    for name in chosen:
        found = PARTS[name][0](RESULTS.absolute() / name)
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        click.echo(PARTS[name][1](found))
        ill = ill or bool(found["findings"])
    if write is not None:
        text = write.read_text()
        for name, (_, render) in PARTS.items():
            if (path := RESULTS / f"{name}.json").exists():
                text = put(text, name, render(json.loads(path.read_text())))
        write.write_text(text)
    sys.exit(1 if ill else 0)


if __name__ == "__main__":
    main()
