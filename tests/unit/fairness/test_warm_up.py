"""What is compiled before the first record: no stream of votes may wait for a compiler."""

import subprocess
import sys
from pathlib import Path

import msgspec

from streams.ledger.codec import Notice, encode_block, encode_notice
from tests.unit.fairness.test_fold import BRISK, LEDGER
from tests.unit.fairness.voters import VoterArena

ROOT = Path(__file__).parents[3]
PROGRAM = """
import gc, sys
import msgspec
from numba.core.registry import CPUDispatcher
from streams.fairness import fold, tick_update, warm_up
from streams.fairness.fold_state import ArenaFairness
from streams.fairness.settings import FairnessSettings
from streams.ledger.codec import decode

def compiled():
    return {
        (each.py_func.__module__, each.py_func.__name__, str(signature))
        for each in gc.get_objects()
        if isinstance(each, CPUDispatcher) and each.py_func.__module__.startswith("streams.")
        for signature in each.signatures
    }

tick_update.warm()
warm_up.warm_up()
warm = compiled()
settings, *ledgers = msgspec.msgpack.decode(sys.stdin.buffer.read())
for ledger in ledgers:
    state = ArenaFairness.start("text", FairnessSettings(**settings))
    for record in ledger:
        fold.fold(state, decode(record))
print(len(warm) > 20, sorted(compiled() - warm))
"""


def test_a_ledger_compiles_nothing_that_was_not_compiled_before() -> None:
    arena = VoterArena(seed=4, settings=BRISK)
    arena.battles(3_000)
    ledgers = [
        [
            part
            for record in records
            for part in ([encode_notice(record)] if isinstance(record, Notice) else encode_block(record))
        ]
        for records in (LEDGER.records, arena.records)
    ]
    given = msgspec.msgpack.encode([msgspec.structs.asdict(BRISK), *ledgers])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, input=given, capture_output=True, timeout=280, check=False
    )
    assert done.stdout.decode() == "True []\n", done.stdout.decode() + done.stderr.decode()
