#!/usr/bin/env bash
# CSV: pyarrow reads its own NaN back as null, and polars makes strings of a float column that others have written.
#
# Versions: pyarrow 26.0.1, polars 2.1.0, pandas 3.1.1, duckdb 2.0.1, each with its default settings.
#
# Each library writes the column 1.5, NaN, inf, and each reads each file. pyarrow writes `nan` and reads `nan` back as
# null, since it stands in its list of null texts: NaN does not survive pyarrow's own round trip. polars writes `NaN`
# and takes `NaN` for a number, but the `nan` of pyarrow and DuckDB turns its whole column into strings. pandas writes
# nothing for NaN, so the others read null. Spelling counts beyond that: `Infinity`, as JavaScript, Java and PostgreSQL
# write it, makes polars' column strings, while polars' own cast from string to float takes it; `NAN` is a number to
# pyarrow (where `nan` is null), but makes polars' and pandas' column strings.
#
# Seen ("strings" where the whole column has become text):
#   pyarrow writes nan inf; read by pyarrow None inf, polars strings, pandas nan inf, duckdb nan inf
#   polars writes NaN inf; read by pyarrow None inf, polars nan inf, pandas nan inf, duckdb nan inf
#   pandas writes nothing inf; read by pyarrow None inf, polars None inf, pandas nan inf, duckdb None inf
#   duckdb writes nan inf; read by pyarrow None inf, polars strings, pandas nan inf, duckdb nan inf
#   NaN: pyarrow None, polars nan, pandas nan, duckdb nan; polars' cast nan
#   nan: pyarrow None, polars strings, pandas nan, duckdb nan; polars' cast nan
#   NAN: pyarrow nan, polars strings, pandas strings, duckdb nan; polars' cast nan
#   inf: pyarrow inf, polars inf, pandas inf, duckdb inf; polars' cast inf
#   Inf: pyarrow inf, polars strings, pandas inf, duckdb inf; polars' cast inf
#   Infinity: pyarrow inf, polars strings, pandas inf, duckdb inf; polars' cast inf
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    pyarrow==26.0.1 polars==2.1.0 pandas==3.1.1 duckdb==2.0.1

cat > "$work/look.py" <<'PYTHON'
from pathlib import Path

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.csv

VALUES = {"n": [1, 2, 3], "r": [1.5, float("nan"), float("inf")]}


def by_duckdb():
    rows = "(VALUES (1, 1.5::DOUBLE), (2, 'nan'::DOUBLE), (3, 'inf'::DOUBLE)) AS t(n, r)"
    duckdb.sql(f"COPY (FROM {rows}) TO 'duckdb.csv'")


WRITERS = {
    "pyarrow": lambda: pyarrow.csv.write_csv(pyarrow.table(VALUES), "pyarrow.csv"),
    "polars": lambda: polars.DataFrame(VALUES).write_csv("polars.csv"),
    "pandas": lambda: pandas.DataFrame(VALUES).to_csv("pandas.csv", index=False),
    "duckdb": by_duckdb,
}
READERS = {
    "pyarrow": lambda path: pyarrow.csv.read_csv(path)["r"].to_pylist(),
    "polars": lambda path: polars.read_csv(path)["r"].to_list(),
    "pandas": lambda path: pandas.read_csv(path)["r"].tolist(),
    "duckdb": lambda path: [value for (value,) in duckdb.sql(f"SELECT r FROM '{path}'").fetchall()],
}


def show(path):
    shown = []
    for name, read in READERS.items():
        first, *rest = read(path)
        shown.append(f"{name} {'strings' if isinstance(first, str) else ' '.join(map(str, rest))}")
    return ", ".join(shown)


for name, write in WRITERS.items():
    write()
    texts = [line.split(",")[1] for line in Path(f"{name}.csv").read_text().splitlines()[2:]]
    print(f"{name} writes {' '.join(text or 'nothing' for text in texts)}; read by {show(f'{name}.csv')}")
for text in ("NaN", "nan", "NAN", "inf", "Inf", "Infinity"):
    Path("one.csv").write_text(f"n,r\n1,1.5\n2,{text}\n")
    cast = polars.Series([text]).cast(polars.Float64)[0]
    print(f"{text}: {show('one.csv')}; polars' cast {cast}")
PYTHON

(cd "$work" && timeout 60 venv/bin/python look.py) > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
pyarrow writes nan inf; read by pyarrow None inf, polars strings, pandas nan inf, duckdb nan inf
polars writes NaN inf; read by pyarrow None inf, polars nan inf, pandas nan inf, duckdb nan inf
pandas writes nothing inf; read by pyarrow None inf, polars None inf, pandas nan inf, duckdb None inf
duckdb writes nan inf; read by pyarrow None inf, polars strings, pandas nan inf, duckdb nan inf
NaN: pyarrow None, polars nan, pandas nan, duckdb nan; polars' cast nan
nan: pyarrow None, polars strings, pandas nan, duckdb nan; polars' cast nan
NAN: pyarrow nan, polars strings, pandas strings, duckdb nan; polars' cast nan
inf: pyarrow inf, polars inf, pandas inf, duckdb inf; polars' cast inf
Inf: pyarrow inf, polars strings, pandas inf, duckdb inf; polars' cast inf
Infinity: pyarrow inf, polars strings, pandas inf, duckdb inf; polars' cast inf
EXPECTED
