"""Other names of providers: the table of the package, a table of the user, and names that are written twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.audit.providers import SHIPPED, read_providers
from services.cli.audit import command
from services.sources import SourceError
from streams.audit.board.names import unify
from streams.audit.options import Options
from tests.unit.audit.boards import audit, draw


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Allen AI", "Ai2"),
        ("AllenAI/UW", "Ai2"),
        ("AI2", "Ai2"),
        ("Zhipu", "Z.ai"),
        ("zhipu ai", "Z.ai"),
        ("Z.ai  Z.ai", "Z.ai"),
        ("Google DeepMind", "Google"),
        ("Anthropic  Anthropic", "Anthropic"),
        ("Oak Labs", "Oak Labs"),
    ],
)
def test_a_provider_has_one_name(written: str, told: str) -> None:
    assert unify([written], read_providers())[written] == told


def test_a_table_of_the_user_names_them_in_any_form(tmp_path: Path) -> None:
    table = tmp_path / "providers.toml"
    table.write_text('[[provider]]\nname = "Cafe\u0301 "\nalso = ["E\u0301cole  normale"]\n', "utf-8")
    assert unify(["\u00c9cole normale"], read_providers(table)) == {None: "unknown", "\u00c9cole normale": "Caf\u00e9"}


def test_the_shares_of_all_names_are_added() -> None:
    names = ("Ai2", "Allen AI", "AllenAI/UW", "Ai2  Ai2")
    rows = [
        replace(row, provider=names[number % 4] if row.model.split("-")[1][0] < "k" else "Oak")
        for number, row in enumerate(draw(1).rows())
    ]
    shares = audit(rows, options=Options(providers=read_providers())).shares["provider"]
    assert {*shares} == {"Ai2", "Oak"}
    assert shares["Ai2"] == pytest.approx(0.5, abs=0.05)


def test_the_table_of_the_package_is_dated() -> None:
    assert 'as_of = "20' in SHIPPED.read_text()


def test_a_table_of_the_user_takes_its_place(tmp_path: Path) -> None:
    table = tmp_path / "own.toml"
    table.write_text('[[provider]]\nname = "Oak"\nalso = ["Acorn", "Oak & Sons"]\n')
    assert unify(["acorn", "Oak and", "Zhipu"], read_providers(table)) == {
        None: "unknown", "acorn": "Oak", "Oak and": "Oak and", "Zhipu": "Zhipu",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[provider]", "no table of providers"),
        ("a = 1", "no [[provider]]"),
        ("[[provider]]\nalso = ['x']", "provider 1 needs a name"),
        ("[[provider]]\nname = 'a'\nalso = 'x'", "provider 1 needs a name"),
        ("[[provider]]\nname = 'a'\nalos = ['x']", "provider 1: 'alos' is not read; there are name and also"),
        ("[[provider]]\nname = 'a'\nalso = ['x']\n[[provider]]\nname = 'b'\nalso = ['X']", "given to two providers"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    table = tmp_path / "own.toml"
    table.write_text(text)
    with pytest.raises(SourceError, match=says.replace("[", r"\[")):
        read_providers(table)


def test_the_command_takes_a_table(tmp_path: Path) -> None:
    board = tmp_path / "board.csv"
    board.write_text("date,model,votes,organization\n2025-01-01,a,1,Acorn\n2025-01-08,a,90,Acorn\n")
    missing = CliRunner().invoke(command, [str(board), "--providers", str(tmp_path / "none.toml")])
    assert missing.exit_code == 1
    assert "none.toml: No such file" in missing.stderr
    table = tmp_path / "own.toml"
    table.write_text('[[provider]]\nname = "Oak"\nalso = ["Acorn"]\n')
    told = CliRunner().invoke(command, [str(board), "--providers", str(table), "--format", "json"])
    assert told.exit_code == 0
    assert '"Oak"' in told.output
