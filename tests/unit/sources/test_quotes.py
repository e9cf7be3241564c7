"""Quotes of CSV and TSV: one that swallows rows is an error that names its line, text with quotes is text."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.audit.table import open_table
from services.sources import SourceError

HEADER = ["model_a", "model_b", "winner", "prompt"]


def cells(tmp_path: Path, content: str, name: str) -> list[tuple[Any, ...]]:
    (tmp_path / name).write_bytes(content.encode())
    return [tuple(row) for _, row in open_table(str(tmp_path / name)).rows]


def table(prompts: dict[int, str], rows: int, separator: str) -> str:
    lines = [HEADER, *([f"m{i % 5}", f"n{i % 7}", "tie", prompts.get(i, f"p{i}")] for i in range(rows))]
    return "".join(separator.join(line) + "\n" for line in lines)


@pytest.mark.parametrize(
    "prompts",
    [
        {3: '"Begin with this'},
        {3: '"Begin" she said'},
        {3: '"Begin', 700: 'and "end"'},
        {3: '"Begin', 700: '"again'},
        {3: '"', 4: '"'},
    ],
)
def test_free_text_with_quotes_is_a_cell_of_a_table_separated_by_tabs(tmp_path: Path, prompts: dict[int, str]) -> None:
    read = cells(tmp_path, table(prompts, 10_000, "\t"), "v.tsv")
    assert len(read) == 10_000
    assert {at: read[at][3] for at in prompts} == prompts


def test_a_table_separated_by_tabs_that_is_quoted_is_read_as_quoted(tmp_path: Path) -> None:
    for odd in ('with "marks"', "two\nlines", "a\ttab", '"'):
        rows = [["a", "b", "tie", odd], ["c", "d", "tie", "plain"]]
        text = io.StringIO(newline="")
        csv.writer(text, delimiter="\t").writerows([HEADER, *rows])
        assert cells(tmp_path, text.getvalue(), "v.tsv") == [tuple(row) for row in rows]
    with pytest.raises(SourceError, match="quotes are neither quotes nor text"):
        cells(tmp_path, table({2: '"open', 4: '"a\tb"'}, 9, "\t"), "v.tsv")


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ({3: '"never closed'}, "line 5: a quote opens a cell and does not close"),
        ({3: '"closed" too early'}, "line 5: a quote opens a cell and is followed by text where it closes"),
        ({1: '"two\nlines"', 3: '"never closed'}, "line 6: a quote opens a cell and does not close"),
        ({1: '"two\nlines"', 900: '"opens', 905: '"opens too'}, "line 903: a quote opens .* followed by text"),
        ({3: '"opens', 6: 'closes"'}, "line 5: a quote opens a cell and closes only in line 8, and rows lie between"),
        ({3: '"opens', 4: 'closes"'}, "line 5: a quote opens a cell and closes only in line 6, and rows lie between"),
        ({2998: '"opens', 2999: 'closes"'}, "line 3000: a quote opens a cell and closes only in line 3001"),
    ],
)
def test_a_stray_quote_is_an_error_that_names_the_line_where_it_opened(
    tmp_path: Path, prompts: dict[int, str], said: str
) -> None:
    for separator in (",", ";"):
        with pytest.raises(SourceError, match=said):
            cells(tmp_path, table(prompts, 3_000, separator), "v.csv")


def test_a_stray_quote_in_a_column_between_others_is_found(tmp_path: Path) -> None:
    rows = [f"{i},m{i % 3},{prompt},n{i % 2},model_a" for i, prompt in enumerate(["x", '"x', 'y"', "x", "z"])]
    with pytest.raises(SourceError, match="line 3: a quote opens a cell and closes only in line 4"):
        cells(tmp_path, "\n".join(["id,model_a,prompt,model_b,winner", *rows]), "v.csv")


def test_a_cell_of_several_lines_is_one_cell_wherever_it_stands(tmp_path: Path) -> None:
    long = 'one, two, three\nmore, "and", more, m1\n\nlast, line'
    for at in range(4):
        rows = [[f"m{i % 3}", f"n{i % 3}", "tie", "word"] for i in range(50)]
        rows[7][at] = long
        text = io.StringIO(newline="")
        csv.writer(text).writerows([HEADER, *rows])
        assert cells(tmp_path, text.getvalue(), "v.csv") == [tuple(row) for row in rows]


odd = st.text(st.sampled_from('ab,"\n;\t é'), max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(odd, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from([",", "\t"]))
def test_what_another_reader_reads_of_a_well_written_file_is_read(rows: list[list[str]], separator: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([["x1", "x2", "x3"], *rows])
    # Cells of tabs and line ends may make lines that are rows by themselves: nobody can tell which was meant.
    lines = text.getvalue().splitlines()
    assume(separator == "," or len(lines) == len(rows) + 1 or any(line.count("\t") != 2 for line in lines))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ("v.tsv" if separator == "\t" else "v.csv")
        path.write_bytes(text.getvalue().encode())
        own = [list(row) for _, row in open_table(str(path)).rows]
        other = polars.read_csv(path, separator=separator, infer_schema=False)
    assert own == rows == [[cell or "" for cell in row] for row in other.iter_rows()]
