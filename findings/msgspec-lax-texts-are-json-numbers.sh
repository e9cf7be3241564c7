#!/usr/bin/env bash
# msgspec 0.22.0: `convert(text, int, strict=False)` reads texts as JSON writes numbers, not as Python's `int()` does.
#
# Versions: msgspec 0.22.0.
#
# `strict=False` is made for settings from an environment, query strings and CSV, where every value is a text. One would
# expect that a text becomes a number when `int()` or `float()` reads it.
#
# Instead '1e3' and '7.0' are whole numbers, which `int()` refuses, and ' 7', '+7' and '1_000', which it reads, are not.
# 'nan' and 'infinity' are floats although msgspec's JSON decoder refuses NaN, while '1e400', which `float()` reads as
# infinity, is out of range. 'yes' and 'on' are no truths. So settings whose bounds exclude NaN must say so (Meta(ge=…)
# does), and a program that read texts by `int()` before gives other answers.
#
# Seen: the lines below EXPECTED.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0

cat > "$work/look.py" <<'PYTHON'
import msgspec


def tried(read, text):
    try:
        return repr(read(text))
    except (ValueError, KeyError):
        return "refused"


def lax(kind):
    return lambda text: msgspec.convert(text, kind, strict=False)


for kind, texts in ((int, ("1e3", "7.0", " 7", "+7", "1_000")), (float, (" 7", "nan", "infinity", "1e400"))):
    for text in texts:
        print(f"{kind.__name__} {text!r}: msgspec {tried(lax(kind), text)}, Python {tried(kind, text)}")
for text in ("1", "tRUE", "yes", "on"):
    print(f"bool {text!r}: msgspec {tried(lax(bool), text)}")
print("float NaN in JSON: msgspec", tried(lambda text: msgspec.json.decode(text, type=float), "NaN"))
PYTHON

"$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
int '1e3': msgspec 1000, Python refused
int '7.0': msgspec 7, Python refused
int ' 7': msgspec refused, Python 7
int '+7': msgspec refused, Python 7
int '1_000': msgspec refused, Python 1000
float ' 7': msgspec refused, Python 7.0
float 'nan': msgspec nan, Python nan
float 'infinity': msgspec inf, Python inf
float '1e400': msgspec refused, Python inf
bool '1': msgspec True
bool 'tRUE': msgspec True
bool 'yes': msgspec refused
bool 'on': msgspec refused
float NaN in JSON: msgspec refused
EXPECTED
