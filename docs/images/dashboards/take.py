"""Takes the pictures of the dashboards: plays two minutes of an arena into a real stack and draws what Prometheus saw.

python -m docs.images.dashboards.take [--minutes 2.5]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from docs.images.dashboards import render
from tests.support.monitored import ARENA, REMOVED, Monitored
from tests.support.stack import make_broker, make_redis

RATE = 1_500
"""Battles a second."""
WARM = 25
"""Seconds that are not shown: programs are compiled, and a board of a hundred votes jumps."""


def main() -> int:
    """Start, play, draw, stop."""
    parser = argparse.ArgumentParser(description="Take the pictures of the dashboards.")
    parser.add_argument("--minutes", type=float, default=2.5, help="How long to play.")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        broker, redis = make_broker(directory / "broker"), make_redis(directory / "redis")
        if broker.server is None or redis.server is None:
            raise SystemExit("take the pictures with servers of their own: unset KAFKA_BOOTSTRAP_SERVERS and REDIS_URL")
        with broker.server, redis.server, Monitored(broker.bootstrap, redis.url, "p.", "p", directory) as stack:
            stack.subscribe()
            began, over = time.time(), threading.Event()
            bothering = threading.Thread(target=stack.bother, args=(over,))
            bothering.start()
            try:
                battles = int(minutes * 60 * RATE)
                stack.play(battles, int(0.6 * battles), RATE)
                stack.wait_alert()
                seen = ["--arena", ARENA, "--model", REMOVED, "--rate", "10s"]
                seen += ["--minutes", str((time.time() - began - WARM) / 60), "--to", str(Path(__file__).parent)]
                return render.main(["--prometheus", f"http://127.0.0.1:{stack.prometheus.port}", *seen])
            finally:
                over.set()
                bothering.join(30)


if __name__ == "__main__":
    sys.exit(main())
