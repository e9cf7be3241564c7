"""Parameters, answer and worker-like setup of a measured program."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from services.cli.worker import keep_freed_memory


def given() -> dict[str, Any]:
    """Parameters of this process."""
    parameters: dict[str, Any] = json.loads(sys.argv[1])
    return parameters


def answer(**figures: Any) -> None:
    """Write the answer atomically: a waiting reader never sees a part of the file."""
    path = Path(given()["result"])
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(figures))
    scratch.rename(path)


def like_a_worker() -> None:
    """Apply the settings of memory, event loop and garbage collector of `isonomy worker`."""
    import uvloop

    keep_freed_memory()
    uvloop.install()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
