#!/usr/bin/env bash
# msgspec 0.22.0: a time with more than six decimals is rounded up, where other parsers cut: it can be the next day.
#
# Versions: msgspec 0.22.0, pydantic 2.14.4, python-dateutil 4.0.0, pandas 3.1.1, polars 2.1.0, duckdb 2.0.1, Python's
# own datetime.fromisoformat (3.11 and later).
#
# .NET writes seven decimals and Go up to nine; Python's datetime holds six. Six parsers drop what does not fit.
# msgspec rounds half up, so the last tenth of a microsecond of a day, a month or a year belongs to the next one, and
# one record falls into different days by who parses it. Rounding also leaves the range of datetime: the last such
# moment of 9999, which many systems write for "never expires", is refused as "Invalid RFC3339 encoded datetime".
#
# Seen:
#   2024-06-30T23:59:59.9999999Z
#     msgspec 2024-07-01T00:00:00+00:00
#     the other six 2024-06-30T23:59:59.999999+00:00
#   2024-06-30T12:00:00.1234565Z
#     msgspec 2024-06-30T12:00:00.123457+00:00
#     the other six 2024-06-30T12:00:00.123456+00:00
#   9999-12-31T23:59:59.9999999Z
#     msgspec Invalid RFC3339 encoded datetime
#     fromisoformat 9999-12-31T23:59:59.999999+00:00, pydantic the same
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    msgspec==0.22.0 pydantic==2.14.4 python-dateutil==4.0.0 pandas==3.1.1 polars==2.1.0 duckdb==2.0.1

cat > "$work/look.py" <<'PYTHON'
from datetime import UTC, datetime

import dateutil.parser
import duckdb
import msgspec
import pandas
import polars
import pydantic

PARSERS = {
    "msgspec": lambda text: msgspec.json.decode(f'"{text}"', type=datetime),
    "fromisoformat": datetime.fromisoformat,
    "pydantic": lambda text: pydantic.TypeAdapter(datetime).validate_json(f'"{text}"'),
    "dateutil": dateutil.parser.isoparse,
    "pandas": lambda text: pandas.Timestamp(text).to_pydatetime(warn=False),
    "polars": lambda text: polars.Series([text]).str.to_datetime(time_unit="us")[0],
    "duckdb": lambda text: duckdb.sql(f"SELECT '{text.removesuffix('Z')}'::TIMESTAMP").fetchall()[0][0],
}


def parsed(name, text):
    try:
        moment = PARSERS[name](text)
    except msgspec.ValidationError as error:
        return str(error)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


for text in ("2024-06-30T23:59:59.9999999Z", "2024-06-30T12:00:00.1234565Z"):
    print(text)
    for name in PARSERS:
        print(f"  {name} {parsed(name, text)}")
last = "9999-12-31T23:59:59.9999999Z"  # pandas' and polars' own ranges are no matter here
print(last)
for name in ("msgspec", "fromisoformat", "pydantic"):
    print(f"  {name} {parsed(name, last)}")
PYTHON

timeout 60 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
2024-06-30T23:59:59.9999999Z
  msgspec 2024-07-01T00:00:00+00:00
  fromisoformat 2024-06-30T23:59:59.999999+00:00
  pydantic 2024-06-30T23:59:59.999999+00:00
  dateutil 2024-06-30T23:59:59.999999+00:00
  pandas 2024-06-30T23:59:59.999999+00:00
  polars 2024-06-30T23:59:59.999999+00:00
  duckdb 2024-06-30T23:59:59.999999+00:00
2024-06-30T12:00:00.1234565Z
  msgspec 2024-06-30T12:00:00.123457+00:00
  fromisoformat 2024-06-30T12:00:00.123456+00:00
  pydantic 2024-06-30T12:00:00.123456+00:00
  dateutil 2024-06-30T12:00:00.123456+00:00
  pandas 2024-06-30T12:00:00.123456+00:00
  polars 2024-06-30T12:00:00.123456+00:00
  duckdb 2024-06-30T12:00:00.123456+00:00
9999-12-31T23:59:59.9999999Z
  msgspec Invalid RFC3339 encoded datetime
  fromisoformat 9999-12-31T23:59:59.999999+00:00
  pydantic 9999-12-31T23:59:59.999999+00:00
EXPECTED
