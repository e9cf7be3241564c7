#!/usr/bin/env bash
# kafka-python 3.0.12: reset_group_offsets() moves a group's offset and keeps the metadata of the commit it replaces.
#
# Versions: kafka-python 3.0.12, confluent-kafka 2.16.1 (librdkafka), Apache Kafka 4.3.1.
#
# A commit holds an offset and a text, its metadata, which a consumer may use to say what it had done up to that offset.
# Kafka's own kafka-consumer-groups --reset-offsets writes an empty text beside the new offset, and so does
# confluent-kafka's alter_consumer_group_offsets. kafka-python's reset puts the new offset beside the old text. So a
# reader that takes the metadata for a proof of whose commit it is, or keeps a checkpoint there, is told that the
# consumer itself had come to an offset to which a person has moved it. A text that names its offset shows the difference.
#
# Seen:
#   the consumer commits            offset 2, metadata 'done up to 2'
#   kafka-consumer-groups resets    offset 0, metadata ''
#   confluent-kafka alters          offset 0, metadata ''
#   kafka-python resets             offset 0, metadata 'done up to 2'
#
# Needs Java 17 and Maven as well: the broker comes from Maven Central.
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null && wait "$broker" || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kafka-python==3.0.12 confluent-kafka==2.16.1

cat > "$work/pom.xml" <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>4.3.1</version></dependency>
  </dependencies>
</project>
XML
mvn --quiet --batch-mode --file "$work/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$work/jars" > "$work/maven.log" 2>&1 || { cat "$work/maven.log"; exit 1; }

free() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free) controller=$(free)
cat > "$work/server.properties" <<SETTINGS
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@127.0.0.1:$controller
log.dirs=$work/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
SETTINGS
java -cp "$work/jars/*" kafka.tools.StorageTool format --cluster-id AAAAAAAAAAAAAAAAAAAAAQ \
    --config "$work/server.properties" > "$work/format.log" 2>&1
java -Xmx384m -cp "$work/jars/*" kafka.Kafka "$work/server.properties" > "$work/broker.log" 2>&1 &
broker=$!

cat > "$work/look.py" <<'PYTHON'
import logging
import subprocess
import sys
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

logging.disable(logging.CRITICAL)
servers, jars = sys.argv[1:]
GROUP, AT = "readers", TopicPartition("topic", 0)


def begun():
    for _ in range(300):
        try:
            return KafkaAdminClient(bootstrap_servers=servers)
        except KafkaError:
            time.sleep(0.1)
    raise SystemExit("the broker did not start")


admin = begun()
producer = KafkaProducer(bootstrap_servers=servers)
for _ in range(2):
    producer.send(AT.topic, b"value", partition=0).get(30)
producer.close()


def commit():
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=GROUP, enable_auto_commit=False)
    consumer.subscribe([AT.topic])
    while not consumer.assignment():
        consumer.poll(timeout_ms=200)
    consumer.commit({AT: OffsetAndMetadata(2, "done up to 2", -1)})
    consumer.close()


def by_kafka():
    options = ["--bootstrap-server", servers, "--group", GROUP, "--topic", AT.topic]
    tool = ["java", "-cp", f"{jars}/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *options]
    subprocess.run([*tool, "--reset-offsets", "--to-earliest", "--execute"], check=True, capture_output=True)


def by_confluent():
    wanted = [confluent_kafka.TopicPartition(AT.topic, AT.partition, 0)]
    client = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    for done in client.alter_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(GROUP, wanted)]).values():
        done.result()


def by_kafka_python():
    admin.reset_group_offsets(GROUP, {AT: OffsetSpec.EARLIEST})


def show(what):
    known = admin.list_group_offsets(GROUP)[GROUP][AT]
    print(f"{what:30}  offset {known.offset}, metadata {known.metadata!r}")


commit()
show("the consumer commits")
for what, reset in (
    ("kafka-consumer-groups resets", by_kafka),
    ("confluent-kafka alters", by_confluent),
    ("kafka-python resets", by_kafka_python),
):
    commit()
    reset()
    show(what)
PYTHON

timeout 120 "$work/venv/bin/python" "$work/look.py" "127.0.0.1:$port" "$work/jars" > "$work/seen"
cat "$work/seen"
diff - "$work/seen" <<'EXPECTED'
the consumer commits            offset 2, metadata 'done up to 2'
kafka-consumer-groups resets    offset 0, metadata ''
confluent-kafka alters          offset 0, metadata ''
kafka-python resets             offset 0, metadata 'done up to 2'
EXPECTED
