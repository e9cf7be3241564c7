#!/usr/bin/env bash
# Schemathesis 4.32.5: `--checks all` switches on again what the configuration file switches off for one operation.
#
# Version: schemathesis 4.32.5.
#
# The file can switch a check off for an operation to which it does not apply, and that works as long as the command line
# names no checks. `--checks all`, or the name of the check, is more general and still wins over the file's table of that
# operation, without a word: a run that was quiet fails with what was left out on purpose. A narrower way holds under both:
# the operation's `phases.stateful.enabled = false`.
#
# Seen: a server whose new items can be claimed only by a token (404 without it), and a file that switches
# `ensure_resource_availability` off for the claim. Without --checks: 0. With --checks all, or that check named: exit code 1
# and ST302.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5

cat > "$work/server.py" <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

numbers = count()
item = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
made = {
    "description": "made",
    "content": {"application/json": {"schema": item}},
    "links": {"claim": {"operationId": "claim", "parameters": {"id": "$response.body#/id"}}},
}
one = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
claim = {"operationId": "claim", "parameters": [one], "responses": {"404": {"description": "not without its token"}}}
document = {
    "openapi": "3.0.3",
    "info": {"title": "items", "version": "1"},
    "paths": {
        "/items": {"post": {"operationId": "make", "responses": {"201": made}}},
        "/items/{id}/claim": {"post": claim},
    },
}


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, document)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/items":
            self.answer(201, {"id": f"i{next(numbers)}"})
        else:
            self.answer(404, {})

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 "$work/server.py" > "$work/port" &
server=$!
until [ -s "$work/port" ]; do sleep 0.1; done

cat > "$work/off.toml" <<'TOML'
[[operations]]
include-operation-id = "claim"
checks.ensure_resource_availability.enabled = false
TOML
cat > "$work/apart.toml" <<'TOML'
[[operations]]
include-operation-id = "claim"
phases.stateful.enabled = false
TOML

run() { # FILE OPTION…: exit code, and how often ST302 is said to have failed
  local file=$1 code=0
  shift
  "$work/venv/bin/st" --config-file "$work/$file" run "http://127.0.0.1:$(cat "$work/port")/openapi.json" \
    --phases stateful --max-examples 20 --seed 1 "$@" > "$work/out" 2>&1 || code=$?
  echo "$code $(grep -c 'ST302 Created resource not found: ' "$work/out" || true)"
}
named=$(run off.toml --checks ensure_resource_availability)
every=$(run off.toml --checks all)
none=$(run off.toml)
apart=$(run apart.toml --checks ensure_resource_availability)
echo "the file alone:            exit code and ST302: $none"
echo "with --checks all:         exit code and ST302: $every"
echo "with the check by name:    exit code and ST302: $named"
echo "left out of the phase:     ST302: ${apart#* }"
[ "$none" = "0 0" ]
[ "$every" = "1 1" ]
[ "$named" = "1 1" ]
[ "${apart#* }" = 0 ]
echo "as the header says"
