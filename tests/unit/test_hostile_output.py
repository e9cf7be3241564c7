"""Two hundred hostile names in the terminal and in reports: text, each as it is, and nothing that a terminal obeys."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from streams.contracts.names import is_lost, shown
from tests.support.hostile_names import HOSTILE
from tests.unit.audit.boards import draw, until

ESCAPES = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"}


NAMES = [name for name in HOSTILE if not is_lost(name)]
"""Those that a file of votes may hold: `null` and the like are refused there."""


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each name meets the next four: one arena, all compared."""
    path = tmp_path_factory.mktemp("hostile") / "votes.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for at, name in enumerate(NAMES):
            for step in range(1, 5):
                pair = {"model_a": name, "model_b": NAMES[(at + step) % len(NAMES)]}
                line = {"id": f"{at}-{step}", **pair, "winner": ("model_a", "model_b")[at % 2], "tstamp": at + 1.0}
                file.write(json.dumps(line) + "\n")
    return path


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A board of hostile models, providers and licences; half of the models stop, so that the report is long."""
    path = tmp_path_factory.mktemp("hostile") / "board.csv"
    board = draw(1, models=40, spread=0.05, multiply={model: until(60) for model in range(0, 40, 5)})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["snapshot_date", "model", "organization", "license", "votes"])
        for model, name in enumerate(HOSTILE[:40]):
            for at in range(board.totals.shape[1]):
                provider, terms = HOSTILE[40 + model % 7], HOSTILE[50 + model % 2]
                writer.writerow([board.date(at), name, provider, terms, board.totals[model, at]])
    return path, HOSTILE[:40]


class Text(HTMLParser):
    """Collects the text of a page, and every element with its attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def run(*arguments: Any) -> str:
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output[-2_000:]
    return done.stdout


def test_a_board_in_the_terminal_shows_every_name_as_text(votes: Path) -> None:
    table = run("rate", votes)
    assert not ESCAPES & set(table)
    # A table cuts what is too long for its column, and the rest stands as it is.
    missing = [name for name in NAMES if len(name) < 20 and shown(name) not in table]
    assert not missing


def test_json_holds_every_name_exactly_and_no_escape(votes: Path) -> None:
    told = run("rate", votes, "--format", "json")
    assert not ESCAPES & set(told)
    assert sorted(line["model"] for line in json.loads(told)["boards"]["overall"]["models"]) == sorted(NAMES)


def test_an_audit_in_the_terminal_and_as_json_is_text(snapshots: tuple[Path, list[str]]) -> None:
    path, names = snapshots
    assert not ESCAPES & set(run("audit", path))
    told = run("audit", path, "--format", "json")
    assert not ESCAPES & set(told)
    assert sorted(line["model"] for line in json.loads(told)["models"]) == sorted(names)


def test_a_report_shows_every_name_as_text_and_has_no_element_more(snapshots: tuple[Path, list[str]]) -> None:
    path, names = snapshots
    page = Text()
    page.feed(run("audit", path, "--format", "html"))
    text = "".join(page.text)
    assert not [name for name in names if shown(name) not in text]
    kinds = {tag for tag, _ in page.elements}
    assert not kinds & {"script", "img", "iframe", "form", "input", "object", "embed", "base", "link"}, kinds
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    links = [attributes for tag, attributes in page.elements if tag == "a"]
    assert all(each.keys() == {"href"} and each["href"].startswith("#") for each in links), links
