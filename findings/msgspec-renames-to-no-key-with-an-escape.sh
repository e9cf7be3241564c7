#!/usr/bin/env bash
# msgspec 0.22.0: a Struct's field cannot have every key that JSON has, not even to decode only.
#
# Versions: msgspec 0.22.0.
#
# A spreadsheet's CSV turned into JSON may have the key "vote\r": the carriage return of a line end that somebody cut at
# the line feed. `rename` and `field(name=…)` map keys to fields, so one would expect a struct for a file to be made of
# the keys that the file has, whatever they are.
#
# Instead a struct with a key that holds a quote, a backslash or a control character cannot be defined at all, whether or
# not anything is ever encoded with it; quote and backslash are refused as the control characters are. A dictionary, and
# a TypedDict, decode all of them, so the workaround is one of these for files whose keys need an escape.
#
# Seen:
#   'who won': Struct decodes it, dict decodes it, TypedDict decodes it
#   'vote\r': Struct ValueError, dict decodes it, TypedDict decodes it
#   'who "won"': Struct ValueError, dict decodes it, TypedDict decodes it
#   'a\\b': Struct ValueError, dict decodes it, TypedDict decodes it
#   'voté': Struct decodes it, dict decodes it, TypedDict decodes it
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0

cat > "$work/look.py" <<'PYTHON'
import json
from typing import Any, TypedDict

import msgspec


def struct(key):
    kind = msgspec.defstruct("Row", [("cell", Any, None)], rename={"cell": key})
    return lambda text: msgspec.json.decode(text, type=kind).cell


def dictionary(key):
    return lambda text: msgspec.json.decode(text, type=dict[str, Any])[key]


def typed(key):
    kind = TypedDict("Row", {key: str})
    return lambda text: msgspec.json.decode(text, type=kind)[key]


def tried(make, key):
    try:
        cell = make(key)(json.dumps({key: "x"}))
    except ValueError as error:
        return type(error).__name__
    return "decodes it" if cell == "x" else f"finds {cell!r}"


for key in ("who won", "vote\r", 'who "won"', "a\\b", "voté"):
    ways = (("Struct", struct), ("dict", dictionary), ("TypedDict", typed))
    print(f"{key!r}: " + ", ".join(f"{name} {tried(make, key)}" for name, make in ways))
PYTHON

"$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
'who won': Struct decodes it, dict decodes it, TypedDict decodes it
'vote\r': Struct ValueError, dict decodes it, TypedDict decodes it
'who "won"': Struct ValueError, dict decodes it, TypedDict decodes it
'a\\b': Struct ValueError, dict decodes it, TypedDict decodes it
'voté': Struct decodes it, dict decodes it, TypedDict decodes it
EXPECTED
