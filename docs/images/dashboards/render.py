"""Draws the dashboards as PNG from what a running Prometheus answers.

python -m docs.images.dashboards.render --prometheus URL --arena text --model NAME --minutes 60 --to FOLDER
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from deploy.grafana.queries import fill, load
from deploy.grafana.write import DASHBOARDS
from docs.images.dashboards.answers import Span, answers
from docs.images.dashboards.draw import bands, bars, lines, number
from docs.images.dashboards.look import FAINT, UNIT, Picture, place
from docs.images.dashboards.tables import grid

_DRAWN = {"stat": number, "timeseries": lines, "bargauge": bars, "state-timeline": bands, "table": grid}
_TOP = 46


def render(dashboard: Mapping[str, Any], url: str, variables: Mapping[str, str], span: Span) -> bytes:
    """Draw one dashboard; returns the PNG. Raises `urllib.error.URLError` when Prometheus does not answer."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    picture = Picture(_TOP + bottom * UNIT)
    picture.text(12, 23, dashboard["title"], fontsize=13, fontweight="bold")
    chosen = [variable["name"] for variable in dashboard["templating"]["list"]][1:]
    shown = "    ".join(f"{name.capitalize()}  {variables[name]}" for name in chosen)
    picture.text(1488, 23, shown, fontsize=9, color=FAINT, ha="right")
    for panel in dashboard["panels"]:
        box = place(panel["gridPos"], _TOP)
        if panel["type"] == "row":
            picture.text(box.x + 6, box.y + box.height / 2, f"▾  {fill(panel['title'], variables)}", fontsize=10)
            continue
        picture.panel(box, fill(panel["title"], variables))
        _DRAWN[panel["type"]](picture, box, panel, answers(url, panel, variables, span), span)
    return _png(picture)


def _png(picture: Picture) -> bytes:
    """As few bytes as it takes: a palette is enough for flat colours."""
    raw, small = io.BytesIO(), io.BytesIO()
    picture.figure.savefig(raw, format="png", facecolor=picture.figure.get_facecolor())
    raw.seek(0)
    Image.open(raw).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw every dashboard into a folder."""
    parser = argparse.ArgumentParser(description="Draw the dashboards from what a running Prometheus answers.")
    parser.add_argument("--prometheus", required=True, help="Where it listens, such as http://localhost:9090.")
    parser.add_argument("--arena", required=True)
    parser.add_argument("--model", required=True, help="The model that the last rows look at.")
    parser.add_argument("--minutes", type=float, default=60.0, help="How far to look back.")
    parser.add_argument("--rate", default="1m", help="What $__rate_interval stands for.")
    parser.add_argument("--to", type=Path, required=True, help="Folder of the pictures.")
    given = parser.parse_args(arguments)
    now = time.time()
    variables = {
        "arena": given.arena,
        "model": given.model,
        "__rate_interval": given.rate,
        "__range": f"{int(given.minutes * 60)}s",
    }
    given.to.mkdir(parents=True, exist_ok=True)
    for name in DASHBOARDS:
        png = render(load(name), given.prometheus, variables, Span(now - 60 * given.minutes, now))
        (given.to / f"{name}.png").write_bytes(png)
        print(f"drawn: {name}.png, {len(png) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
