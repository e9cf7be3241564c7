"""Write a simulation to one file with both topics in order, or to a file for each; and its truth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from services.simulate.ground_truth import Truth
from services.simulate.records import Recorder, VoteRecords
from services.simulate.simulation import Simulation
from streams.contracts.topics import MODELS, VOTES
from streams.ledger.codec import Block

Advance = Callable[[int], None]


def write_file(simulation: Simulation, recorder: Recorder, path: Path, advance: Advance) -> None:
    """Write one `{"topic", "key", "value"}` a line, votes and models in their common order; `-` is standard output."""
    with _opened(path) as file:
        for record in simulation:
            if isinstance(record, Block):
                votes = recorder.votes(record)
                lines = [
                    f'{{"topic":"{VOTES.name}","key":"{key}","value":{value}}}\n'
                    for key, value in zip(votes.keys, votes.values, strict=True)
                ]
                file.write("".join(lines).encode())
            else:
                key, value = recorder.model(record)
                quoted = msgspec.json.encode(key).decode()
                file.write(f'{{"topic":"{MODELS.name}","key":{quoted},"value":{value or "null"}}}\n'.encode())
            advance(simulation.drawn)


def write_files(simulation: Simulation, recorder: Recorder, votes: Path, models: Path, advance: Advance) -> int:
    """Write the votes for `isonomy rate` and the models for `isonomy audit --registry`.

    Returns
    -------
    The number of model deletions, which a file of model records cannot hold.
    """
    deletions = 0
    with votes.open("wb") as of_votes, models.open("wb") as of_models:
        for record in simulation:
            if isinstance(record, Block):
                of_votes.write(_lines(recorder.votes(record)))
            else:
                _, value = recorder.model(record)
                deletions += value is None
                of_models.write(b"" if value is None else f"{value}\n".encode())
            advance(simulation.drawn)
    return deletions


def write_truth(truth: Truth, path: Path) -> None:
    """Write the truth as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n")


def _lines(votes: VoteRecords) -> bytes:
    return "".join([f"{value}\n" for value in votes.values]).encode()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with path.open("wb") as file:
        yield file
