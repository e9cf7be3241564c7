"""`isonomy worker`: one stream processor."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import socket
import sys

import click
from msgspec.structs import replace

from services.cli.admission import require_codecs, require_kafka, require_redis
from services.cli.common import read_settings
from services.cli.errors import UserError

log = logging.getLogger(__name__)


@click.command("worker")
@click.option(
    "--stages",
    default="intake,ratings,fairness",
    show_default=True,
    help="Stages to run here, separated by commas: several processes may share them in any way.",
)
@click.option("--port", type=int, help="Port of /metrics, /healthz and /readyz (0: any).  [ISONOMY_WORKER_PORT]")
def command(stages: str, port: int | None) -> None:
    """Run a stream worker until SIGTERM: intake writes the ledger, ratings and fairness fold it.

    Start up to one for each partition; Kafka divides the work. A worker that fails exits, so that its supervisor
    restarts it: it continues where it was, and counts nothing twice.
    """
    settings = read_settings(ISONOMY_WORKER_PORT=None if port is None else str(port))
    keep_freed_memory()
    import faust
    import uvloop

    from services.cli.footing import topics_of, wait_for_topics
    from services.cli.listening import require_address
    from streams.app import STAGES, create_app
    from streams.contracts.access import WORKER_GROUP
    from streams.contracts.metrics import Metrics
    from streams.contracts.settings import InvalidSetting

    chosen = [name.strip() for name in stages.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in STAGES]
    if unknown or not chosen:
        raise click.BadParameter(f"{stages!r}: choose one of {', '.join(STAGES)}", param_hint="--stages")
    require_address(settings, "worker")
    require_codecs()
    require_kafka(settings.kafka)
    if chosen != ["intake"]:  # intake needs no Redis
        require_redis(settings.redis)
    wait_for_topics(settings, topics_of("worker"), [*chosen, WORKER_GROUP])
    require_address(settings, "worker")  # check again: the wait may have taken hours
    # uvloop in this thread only: Faust calls from here into its consumer thread's loop, which uvloop does not survive.
    asyncio.set_event_loop(uvloop.new_event_loop())
    if settings.worker.port == 0:
        settings = replace(settings, worker=replace(settings.worker, port=_any_port(settings.http.host)))
    log.info("metrics and readiness at http://%s:%d", settings.http.host, settings.worker.port)
    try:
        app = create_app(settings, Metrics(), chosen)
    except InvalidSetting as error:
        raise UserError(str(error)) from None
    # Thousands of votes are decoded into objects without cycles, so frequent cycle collection is wasted time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        faust.Worker(
            app,
            loglevel=logging.getLogger().getEffectiveLevel(),
            override_logging=False,
            redirect_stdouts=False,
            quiet=True,
        ).execute_from_commandline()
    except SystemExit as ended:  # Faust raises nothing else; the context is the failure, if there was one
        app.say_cause(ended.__context__)
        raise


def _any_port(host: str) -> int:
    """Return a port on which no process listens; Faust's web server cannot choose a free port itself."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 32 * 1024 * 1024


def keep_freed_memory() -> None:
    """Make glibc reuse up to `KEPT_BYTES` of freed memory, which saves a thousand page faults per refresh."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has no mallopt
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * KEPT_BYTES)
        mallopt(_M_TOP_PAD, KEPT_BYTES)
